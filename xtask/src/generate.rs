//! The generated pages: golden copies of what the code says.

// The table alone, which has no arrows: the program itself is not linked for it.
#[path = "../../crates/sekisho/src/commands/manual.rs"]
mod manual;

use crate::run::root;
use crate::{fuzzers, linked};
use std::path::PathBuf;

fn pages() -> Result<Vec<(PathBuf, String)>, String> {
    let folder = root().join("docs/generated");
    Ok(vec![
        (folder.join("commands.md"), commands(false)),
        (folder.join("commands.ja.md"), commands(true)),
        (folder.join("compartments.md"), compartments()),
        (folder.join("config.md"), settings::manual()),
        (folder.join("fuzz.md"), fuzzers::page()),
        (folder.join("metrics.md"), wire::metrics::page()),
        (folder.join("linked.md"), linked::page()?),
        (folder.join("sigma.md"), sigma::shipped::page()),
    ])
}

pub fn run() -> Result<(), String> {
    for (path, text) in pages()? {
        std::fs::create_dir_all(root().join("docs/generated")).map_err(|e| e.to_string())?;
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Whether the pages in the repository are those that the code makes.
pub fn check(wanting: &mut Vec<String>) {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(what) => return wanting.push(what),
    };
    for (path, expected) in pages {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            wanting.push(format!("docs/generated/{name} is not what the code says: generate"));
        }
    }
}

/// What `sekisho help COMMAND` shows, all of it.
fn commands(is_japanese: bool) -> String {
    let mut text = match is_japanese {
        true => {
            "# コマンド\n\n`sekisho help COMMAND` が示すもの。`cargo xtask generate` が作ります。\n"
        }
        false => {
            "# Commands\n\nWhat `sekisho help COMMAND` shows. Made by `cargo xtask generate`.\n"
        }
    }
    .to_owned();
    for (command, ..) in manual::SUMMARIES {
        let page = manual::page(command, &manual::lines_of(command), is_japanese).join("\n");
        text.push_str(&format!("\n## {command}\n```\n{page}\n```\n"));
    }
    text
}

fn compartments() -> String {
    let mut text = String::from(
        "# Compartments\n\nGenerated from `wire::CHARTERS` by `cargo xtask generate`. A difference \
         here is a security review.\n\n| kind | duty | network | own folder | born per \
         connection or message | author of evidence | memory | may ask |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let yes = |is: bool| if is { "yes" } else { "–" };
    for charter in wire::CHARTERS {
        let asks: Vec<&str> = charter.asks.iter().map(|kind| kind.word()).collect();
        let asks = if asks.is_empty() { "no one".to_owned() } else { asks.join(", ") };
        text.push_str(&format!(
            "| `{}` | {} | {:?} | {} | {} | {} | {} MiB | {asks} |\n",
            charter.kind.word(),
            charter.duty,
            charter.network,
            yes(charter.has_folder),
            yes(charter.has_zygote),
            yes(charter.is_author),
            charter.memory_mib,
        ));
    }
    text.push_str("\nSystem calls of each kind: `crates/compartment/policy/<kind>.policy`.\n");
    text
}
