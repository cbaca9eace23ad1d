//! The manual of the settings, from what is declared with each of them.

use crate::{Alarms, Brake, Dns, Entry, House, Listen, Queue, Relay, Sentinel, Unseal};

/// The manual, as `docs/generated/config.md` has it.
pub fn manual() -> String {
    let mut text = String::from(
        "# Settings\n\nGenerated from `crates/settings/src/lib.rs` by `cargo xtask generate`; \
         read by `sekisho run --config FILE`.\n",
    );
    let sections = [
        House::MANUAL,
        Listen::MANUAL,
        Dns::MANUAL,
        Unseal::MANUAL,
        Relay::MANUAL,
        Queue::MANUAL,
        Brake::MANUAL,
        Sentinel::MANUAL,
        Alarms::MANUAL,
    ];
    for (section, about, entries) in sections {
        text.push_str(&format!("\n## [{section}]\n{}\n\n", about.trim()));
        text.push_str("| setting | shape | default | meaning |\n|---|---|---|---|\n");
        for Entry { name, shape, default, doc } in entries {
            text.push_str(&format!("| `{name}` | {shape} | `{default}` | {} |\n", doc.trim()));
        }
    }
    text
}
