//! What people give by hand: on the terminal without an echo, or by a descriptor.

use crate::outcome::Trouble;
use crate::words;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// A passphrase or a share, with the words around it.
const TEXT_BYTES: u64 = 64 * 1024;

/// Whether somebody sits there who could be asked.
pub fn is_there() -> bool {
    std::io::stdin().is_terminal() && File::open("/dev/tty").is_ok()
}

/// Asks for one line, which is not shown.
pub fn ask(prompt: &str) -> Result<Zeroizing<String>, Trouble> {
    let hint = "give it by a descriptor instead, such as --passphrase-fd 3";
    let fault = |error: std::io::Error| Trouble::fault(format!("/dev/tty: {error}"), hint);
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(fault)?;
    let echo = |word: &str| {
        let stdin = terminal.try_clone().map(Stdio::from)?;
        Command::new("stty").arg(word).stdin(stdin).status()
    };
    // Without a way to silence the terminal nothing secret is typed on it.
    match echo("-echo") {
        Ok(status) if status.success() => {}
        _ => return Err(Trouble::fault("the terminal's echo cannot be turned off", hint)),
    }
    let mut line = Zeroizing::new(String::new());
    let prompt = words::said(prompt);
    let read = write!(&terminal, "{prompt}: ").and_then(|()| {
        let clone = terminal.try_clone()?;
        BufReader::new(clone.take(TEXT_BYTES)).read_line(&mut line)
    });
    let _ = echo("echo");
    let _ = writeln!(&terminal);
    read.map_err(fault)?;
    Ok(line)
}

/// Asks for one line, which is shown.
pub fn ask_plainly(prompt: &str) -> Result<String, Trouble> {
    let fault = |error: std::io::Error| Trouble::fault(format!("/dev/tty: {error}"), "say --yes");
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(fault)?;
    let mut line = String::new();
    let prompt = words::said(prompt);
    write!(&terminal, "{prompt}: ").map_err(fault)?;
    BufReader::new(terminal.take(TEXT_BYTES)).read_line(&mut line).map_err(fault)?;
    Ok(line)
}

/// Everything that a descriptor of ours has to say.
pub fn read_descriptor(number: u32) -> Result<Zeroizing<String>, Trouble> {
    // Opened anew by its name: a file is read from its start, a pipe from where it stands.
    read_file(std::path::Path::new(&format!("/proc/self/fd/{number}")))
}

/// A secret that lies in a file of its owner's alone.
pub fn read_file(path: &std::path::Path) -> Result<Zeroizing<String>, Trouble> {
    let hint = "it must be a readable text of a few lines";
    let mut text = Zeroizing::new(String::new());
    let read = super::secrets::open(path)?.take(TEXT_BYTES).read_to_string(&mut text);
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            let found = format!("octets that are no text (UTF-8) in {}", path.display());
            let hint = "the line that `sekisho init` showed, in a file of its own; DIR.unseal of \
                a demo is no text and is for `sekisho demo` alone";
            Trouble::refused("a text of a few lines, such as a credential", found, hint)
        }
        _ => Trouble::fault(format!("{}: {error}", path.display()), hint),
    })?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::read_file;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_no_text_is_said_in_our_words() {
        let path = std::env::temp_dir().join(format!("sekisho-no-text-{}", std::process::id()));
        std::fs::write(&path, [0xff; 32]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let said = |japanese| read_file(&path).map(drop).unwrap_err().for_people(japanese);
        let english = said(false);
        assert!(english.contains("expected a text") && english.contains("no text"), "{english}");
        assert!(said(true).contains("テキストではないもの"), "{}", said(true));
        std::fs::remove_file(&path).unwrap();
    }
}
