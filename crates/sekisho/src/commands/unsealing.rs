//! The root: how it is kept when it is made, and how it is had again at a start.

use super::terminal;
use super::token::{self, Token};
use crate::arguments::Arguments;
use crate::outcome::Trouble;
use root::{Kept, Passphrase, Plain, Root, RootSeal, Share, Shares};
use serde_json::{Value, json};
use settings::Unseal;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HINT: &str = "give it by `LoadCredential=` of systemd, by `unseal.file` or by shares; \
                    `sekisho init` makes it";

const SHARE_HINT: &str = "--share FILE is a file that `sekisho init --shares T/N` wrote; give as \
                          many as are needed";

/// A passphrase or a PIN that is not typed on the terminal.
enum Secret {
    Descriptor(u32),
    Text(Zeroizing<String>),
}

/// What people gave on the command line.
#[derive(Default)]
pub struct Given {
    passphrase: Option<Secret>,
    texts: Vec<String>,
}

/// Both secrets of `keys reseal` come by one descriptor.
const TWO_LINES: &str = "two lines from --passphrase-fd: the passphrase or PIN of now, then the \
                         new one";
const TWO_LINES_HINT: &str = "or the new one by --new-passphrase-fd N; with --shares T/N the one \
                              of now is enough";

impl Given {
    pub fn read(arguments: &mut Arguments) -> Result<Self, Trouble> {
        let passphrase_fd = arguments.parsed("--passphrase-fd", "a descriptor's number")?;
        let mut texts = Vec::new();
        for path in arguments.options("--share")? {
            texts.push(share_file(Path::new(&path))?);
        }
        for number in arguments.options("--share-fd")? {
            let wrong =
                |_| Trouble::wrong_use("a descriptor's number", number.clone(), "--share-fd 3");
            texts.push(terminal::read_descriptor(number.parse().map_err(wrong)?)?.to_string());
        }
        Ok(Self { passphrase: passphrase_fd.map(Secret::Descriptor), texts })
    }

    /// For `keys reseal`: takes out of what was given what is for the new root. A passphrase that
    /// nothing old needs is the new one, as for `init`; where both are needed, they are two lines.
    pub fn for_the_new(
        &mut self,
        unseal: &Unseal,
        arguments: &mut Arguments,
    ) -> Result<New, Trouble> {
        let new = arguments.parsed("--new-passphrase-fd", "a descriptor's number")?;
        let needs_old = self.texts.is_empty() && unseal.shares.is_empty() && {
            let kept = kept_text(unseal)?.and_then(|text| root::kept_as(&text));
            matches!(kept, Some(Kept::Passphrase | Kept::Token))
        };
        let given = match self.passphrase {
            Some(Secret::Descriptor(number)) => Some(number),
            _ => None,
        };
        let needs_new = !arguments.holds(&["--shares"]);
        match part(given, new, (needs_old, needs_new)) {
            Part::Both(number) => {
                let (old, new) = two_lines(&terminal::read_descriptor(number)?)?;
                self.passphrase = Some(Secret::Text(old));
                Ok(New(Some(Secret::Text(new))))
            }
            Part::Each(old, new) => {
                self.passphrase = old.map(Secret::Descriptor);
                Ok(New(new.map(Secret::Descriptor)))
            }
        }
    }
}

/// A secret that the new root is to be kept by.
pub struct New(Option<Secret>);

/// Which descriptor is whose.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Both(u32),
    Each(Option<u32>, Option<u32>),
}

/// `given` by `--passphrase-fd`, `new` by `--new-passphrase-fd`; whether the root is kept by a
/// secret now, and may be from now on.
fn part(given: Option<u32>, new: Option<u32>, (old_is, new_is): (bool, bool)) -> Part {
    match (given, new) {
        (Some(number), None) if old_is && new_is => Part::Both(number),
        (Some(number), Some(new)) if old_is && new == number => Part::Both(number),
        (given, new) if old_is => Part::Each(given, new),
        (given, new) => Part::Each(None, new.or(given)),
    }
}

fn two_lines(text: &str) -> Result<(Zeroizing<String>, Zeroizing<String>), Trouble> {
    let own = |line: &str| Zeroizing::new(line.to_owned());
    let mut lines = text.lines().filter(|line| !line.is_empty());
    match (lines.next(), lines.next(), lines.next()) {
        (Some(old), Some(new), None) => Ok((own(old), own(new))),
        (_, second, _) => {
            let found = if second.is_none() { "fewer" } else { "more" };
            Err(Trouble::refused(TWO_LINES, found, TWO_LINES_HINT))
        }
    }
}

/// The root, from wherever the settings and the command line say.
pub fn unseal(unseal: &Unseal, given: Given) -> Result<Root, Trouble> {
    let Given { passphrase: given, texts: mut shares } = given;
    let given = given.as_ref();
    for path in &unseal.shares {
        shares.push(share_file(path)?);
    }
    let kept = match kept_text(unseal)? {
        Some(text) => match root::kept_as(&text) {
            Some(Kept::Plain) if shares.is_empty() => return open(&Plain, &[text]),
            Some(Kept::Token) if shares.is_empty() => {
                let pin = secret(given, "PIN of the token / トークンの PIN")?;
                return open(&named_token(unseal, &pin)?, &[text]);
            }
            Some(Kept::Passphrase) if shares.is_empty() => Some(text),
            Some(Kept::Share) => {
                shares.push(text);
                None
            }
            None => {
                let expected = "a credential, a sealed root or a share in the unseal file";
                let found = "a file that holds none";
                return Err(Trouble::refused(expected, found, HINT));
            }
            _ => {
                let hint = "leave --share away, or take `unseal.file` out of the settings";
                return Err(Trouble::refused("one way to the root", "a file and shares", hint));
            }
        },
        None => None,
    };
    match kept {
        Some(text) => open(&passphrase(given, false)?, &[text]),
        None if shares.is_empty() => Err(Trouble::refused("an unseal credential", "none", HINT)),
        None => join(shares),
    }
}

fn share_file(path: &Path) -> Result<String, Trouble> {
    let read = std::fs::metadata(path).map(drop);
    read.map_err(|error| Trouble::fault(format!("{}: {error}", path.display()), SHARE_HINT))?;
    terminal::read_file(path).map(|text| text.to_string())
}

/// The one text that is not a share: of systemd, else of the settings.
fn kept_text(unseal: &Unseal) -> Result<Option<String>, Trouble> {
    let path = where_kept(unseal);
    path.map(|path| terminal::read_file(&path).map(|text| text.to_string())).transpose()
}

fn where_kept(unseal: &Unseal) -> Option<PathBuf> {
    let in_systemd = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|folder| PathBuf::from(folder).join(&unseal.systemd_credential));
    in_systemd
        .filter(|path| path.exists())
        .or_else(|| (!unseal.file.as_os_str().is_empty()).then(|| unseal.file.clone()))
}

/// How the root of these settings is kept, for `doctor`.
pub fn told(unseal: &Unseal) -> Value {
    let path = where_kept(unseal);
    let read = path.as_ref().map(|path| terminal::read_file(path));
    let why_not = read.as_ref().and_then(|read| read.as_ref().err().map(Trouble::told));
    let text = read.and_then(Result::ok);
    let kept = match text.as_ref().and_then(|text| root::kept_as(text)) {
        Some(Kept::Plain) => "credential",
        Some(Kept::Passphrase) => "passphrase",
        Some(Kept::Share) => "shares",
        Some(Kept::Token) => "token",
        None if !unseal.shares.is_empty() => "shares",
        None => "nowhere that can be read here",
    };
    let is_systemds = path.as_ref().is_some_and(|path| *path != unseal.file);
    json!({
        "kept_as": kept,
        "why_not": why_not,
        "by": if is_systemds { "systemd" } else { "file" },
        "share_files": unseal.shares.len(),
    })
}

fn open(seal: &dyn RootSeal, kept: &[String]) -> Result<Root, Trouble> {
    seal.open(kept).map_err(unfit)
}

/// Joins shares; whoever sits at the terminal types what is missing.
fn join(mut shares: Vec<String>) -> Result<Root, Trouble> {
    loop {
        match Shares::any().open(&shares) {
            Err(root::Fault::TooFew { set, needed, found }) if terminal::is_there() => {
                let prompt = format!("set {set}: share {} of {needed}", found + 1);
                let text = terminal::ask(&prompt)?.to_string();
                match Share::read(&text) {
                    Ok(_) => shares.push(text),
                    Err(fault) => eprintln!("sekisho: {}", crate::words::said(&fault.to_string())),
                }
            }
            joined => return joined.map_err(unfit),
        }
    }
}

fn unfit(fault: root::Fault) -> Trouble {
    let hint = match &fault {
        root::Fault::TooFew { .. } => "give more by --share FILE or --share-fd N",
        root::Fault::OtherSet { .. } => "shares of one set only; an older set opens nothing",
        root::Fault::Shape { expected: "a share" } => SHARE_HINT,
        root::Fault::Mistyped { .. } => "compare it with the paper, letter by letter",
        root::Fault::Limit { limit } => {
            let hint = "such as --shares 2/3; a passphrase of several words";
            return Trouble::refused("what keeps a root", *limit, hint);
        }
        root::Fault::Refused => "type it again; the text may have been changed, too: see its copy",
        root::Fault::Token { .. } => "look at the token, its module and `unseal.token…`",
        _ => HINT,
    };
    Trouble::refused("what opens the root", fault.to_string(), hint)
}

fn passphrase(given: Option<&Secret>, is_new: bool) -> Result<Passphrase, Trouble> {
    let text = secret(given, "passphrase of the root / ルート鍵のパスフレーズ")?;
    if is_new && given.is_none() && *terminal::ask("once more / もう一度")? != *text {
        return Err(Trouble::refused("the same passphrase twice", "two", "type it again"));
    }
    Passphrase::new(&text).map_err(unfit)
}

/// By the descriptor, else by whoever sits at the terminal.
fn secret(given: Option<&Secret>, prompt: &str) -> Result<Zeroizing<String>, Trouble> {
    match given {
        Some(Secret::Descriptor(number)) => terminal::read_descriptor(*number),
        Some(Secret::Text(text)) => Ok(text.clone()),
        None if terminal::is_there() => terminal::ask(prompt),
        None => {
            let hint = "there is no terminal: give it by --passphrase-fd N";
            Err(Trouble::refused("a passphrase or PIN", "none", hint))
        }
    }
}

fn named_token(unseal: &Unseal, pin: &str) -> Result<Token, Trouble> {
    let hint = "`unseal.token_helper`, `token_module` and `token` name it";
    Token::of(unseal, pin).ok_or_else(|| Trouble::refused("a token's helper", "none", hint))
}

/// `--token LABEL --token-module FILE --token-helper FILE`: the token makes a key and seals by it.
fn new_token(
    arguments: &mut Arguments,
    label: &str,
    given: Option<&Secret>,
) -> Result<Token, Trouble> {
    let module = arguments.required("--token-module")?;
    let helper = PathBuf::from(arguments.required("--token-helper")?);
    let unseal = token::settings_of(&module, label, &helper);
    let token = named_token(&unseal, &secret(given, "PIN of the token / トークンの PIN")?)?;
    token.make_key().map_err(unfit)?;
    Ok(token)
}

fn how_many(shares: String) -> Result<Shares, Trouble> {
    let expected = "--shares T/N, N of them from 2 to 16 and T of them enough";
    Shares::of(&shares).map_err(|_| Trouble::wrong_use(expected, shares, "--shares 2/3"))
}

/// How a new root is to be kept.
pub struct Keeping {
    file: Option<PathBuf>,
    shares_to: Option<PathBuf>,
    seal: Box<dyn RootSeal>,
}

impl Keeping {
    /// From `--unseal`, `--passphrase`, `--shares`; nothing of it below the data folder.
    pub fn read(arguments: &mut Arguments, data: &Path) -> Result<Self, Trouble> {
        let given = arguments.parsed("--passphrase-fd", "a descriptor's number")?;
        Self::read_with(arguments, data, New(given.map(Secret::Descriptor)))
    }

    pub fn read_with(
        arguments: &mut Arguments,
        data: &Path,
        New(given): New,
    ) -> Result<Self, Trouble> {
        let given = given.as_ref();
        let file = arguments.option("--unseal")?.map(PathBuf::from);
        let shares_to = arguments.option("--shares-to")?.map(PathBuf::from);
        let token = arguments.option("--token")?;
        let is_phrase = arguments.switch("--passphrase");
        let by_phrase = is_phrase || (given.is_some() && token.is_none());
        let shares = arguments.option("--shares")?;
        for path in file.iter().chain(&shares_to) {
            if std::path::absolute(path).is_ok_and(|path| path.starts_with(data)) {
                let hint = "a copy of the data must open nothing: keep the credential elsewhere";
                let found = path.display().to_string();
                return Err(Trouble::refused("a credential outside the data folder", found, hint));
            }
        }
        if (by_phrase || token.is_some()) && file.is_none() {
            let hint = "--unseal FILE names where the sealed root is written";
            return Err(Trouble::wrong_use("--unseal FILE", "nothing", hint));
        }
        let seal: Box<dyn RootSeal> = match (by_phrase, shares, token) {
            (false, None, None) => Box::new(Plain),
            (true, None, None) => Box::new(passphrase(given, true)?),
            (false, Some(shares), None) => Box::new(how_many(shares)?),
            (false, None, Some(label)) => Box::new(new_token(arguments, &label, given)?),
            _ => {
                let hint = "--passphrase, --shares T/N or --token LABEL";
                return Err(Trouble::wrong_use("one way to keep the root", "two", hint));
            }
        };
        Ok(Self { file, shares_to, seal })
    }

    /// Keeps a root, and says where.
    pub fn keep(&self, root: &Root) -> Result<Value, Trouble> {
        let texts = self.seal.seal(root).map_err(unfit)?;
        let word = self.seal.word();
        match (&self.file, &self.shares_to, texts.first()) {
            (_, Some(folder), _) if word == "shares" => keep_shares(folder, &texts),
            (Some(file), None, Some(text)) if word != "shares" => {
                write_secret(file, text)?;
                Ok(json!({ "kept_as": word, "unseal_file": file }))
            }
            (None, None, Some(text)) if word != "shares" => Ok(json!({ "unseal": text })),
            (None, None, _) => Ok(json!({ "kept_as": word, "shares": texts })),
            _ => Err(Trouble::wrong_use("--shares-to for shares, --unseal else", "another", "")),
        }
    }
}

fn keep_shares(folder: &Path, texts: &[String]) -> Result<Value, Trouble> {
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(folder).map_err(|error| {
        Trouble::fault(format!("{}: {error}", folder.display()), "choose another folder")
    })?;
    let mut files = Vec::new();
    let mut set = String::new();
    for text in texts {
        let share = Share::read(text).map_err(unfit)?;
        set = share.set_text();
        let path = folder.join(format!("share-{}-of-{}.txt", share.index, share.count));
        write_secret(&path, &instructions(&share, text))?;
        files.push(path);
    }
    Ok(json!({ "kept_as": "shares", "set": set, "share_files": files }))
}

/// What the keeper of a share has to know, in both languages.
fn instructions(share: &Share, text: &str) -> String {
    let Share { threshold, count, index, .. } = share;
    let set = share.set_text();
    format!(
        "関所 (Sekisho) ルート鍵の分割片 {index}/{count}  組 {set}\n\
         ・{count} 個のうち {threshold} 個がそろうと、すべてのメールの鍵が開きます。\n\
         ・一人で二つ以上を持たないこと。データや鍵のバックアップと同じ場所に置かないこと。\n\
         ・印刷して封をし、このファイルは消してください。起動時に求められたら下の行を渡します。\n\
         ・なくしたとき、見られたときは、すぐに責任者へ。`sekisho keys reseal` で作り直します。\n\
         \n\
         Share {index} of {count} of the root key of Sekisho, set {set}\n\
         - Any {threshold} of the {count} together open the keys of all mail.\n\
         - Nobody holds two. Keep it away from backups of the data and of the keys.\n\
         - Print it, seal it, delete this file. Give the line below when a start asks for it.\n\
         - If it is lost or seen, say so at once: `sekisho keys reseal` makes a new set.\n\
         \n\
         {text}\n"
    )
}

fn write_secret(path: &Path, text: &str) -> Result<(), Trouble> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        writeln!(file, "{}", text.trim_end())?;
        file.sync_all()
    });
    written.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            let hint = "a credential is never overwritten; name a file that does not exist yet";
            return Trouble::refused("a new file", path.display().to_string(), hint);
        }
        let what = format!("{}: {error}", path.display());
        Trouble::fault(what, "choose a new file in a folder that you may write to")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Part, part, two_lines};

    #[test]
    fn a_descriptor_s_passphrase_is_never_dropped() {
        let check = |given: Option<u32>, new: Option<u32>, is: (bool, bool), expected: Part| {
            assert_eq!(part(given, new, is), expected, "{given:?} {new:?} {is:?}");
        };
        // A plain credential, or shares, until now: as for `init`.
        check(Some(3), None, (false, true), Part::Each(None, Some(3)));
        check(None, Some(4), (false, true), Part::Each(None, Some(4)));
        check(Some(3), Some(4), (false, true), Part::Each(None, Some(4)));
        // With shares from now on it is refused, and not passed over.
        check(Some(3), None, (false, false), Part::Each(None, Some(3)));
        // A passphrase until now.
        check(Some(3), None, (true, true), Part::Both(3));
        check(Some(3), Some(3), (true, true), Part::Both(3));
        check(Some(3), Some(4), (true, true), Part::Each(Some(3), Some(4)));
        check(Some(3), None, (true, false), Part::Each(Some(3), None));
        check(None, Some(4), (true, true), Part::Each(None, Some(4)));
        check(None, None, (true, true), Part::Each(None, None));
    }

    #[test]
    fn two_secrets_are_two_lines() {
        let (old, new) = two_lines("one of now\r\n\na new one\n").ok().unwrap();
        assert_eq!((old.as_str(), new.as_str()), ("one of now", "a new one"));
        for wrong in ["", "one\n", "one\ntwo\nthree\n"] {
            assert!(two_lines(wrong).is_err(), "{wrong:?}");
        }
    }
}
