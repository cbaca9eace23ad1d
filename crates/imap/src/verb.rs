//! A command's octets to its value: tag, word, arguments, end.

use crate::command::{Append, Command, Verb};
use crate::date::{Moment, moment};
use crate::fetch::fetch;
use crate::flags::{FlagSet, flag_set};
use crate::limit::{ID_PAIRS, TAG_BYTES};
use crate::list::{list, status_items};
use crate::search::search;
use crate::sequence::sequence_set;
use crate::store::store;
use crate::words::{Why, Words, is_astring};

/// Why a command is refused, with its tag if that much was legible.
pub(crate) struct Refusal {
    pub tag: Option<String>,
    pub why: Why,
}

/// `octets` is a whole command without its last CRLF.
pub(crate) fn command(octets: &[u8]) -> Result<Command, Refusal> {
    let mut words = Words::new(octets);
    let tag = tag(&mut words).map_err(|why| Refusal { tag: None, why })?;
    match verb(&mut words) {
        Ok(verb) => Ok(Command { tag, verb }),
        Err(why) => Err(Refusal { tag: Some(tag), why }),
    }
}

/// The tag of a command that may be broken behind it.
pub(crate) fn tag_of(octets: &[u8]) -> Option<String> {
    tag(&mut Words::new(octets)).ok()
}

fn tag(words: &mut Words) -> Result<String, Why> {
    let tag = words.take_while(|byte| is_astring(byte) && byte != b'+');
    if tag.is_empty() || tag.len() > TAG_BYTES {
        return Err("expected a tag");
    }
    words.space()?;
    String::from_utf8(tag.to_vec()).map_err(|_| "expected a tag")
}

fn verb(words: &mut Words) -> Result<Verb, Why> {
    let name = words.capitals().map_err(|_| "expected a command")?;
    let verb = match bare(&name) {
        Some(verb) => verb,
        None => with_arguments(words, &name)?,
    };
    words.end()?;
    Ok(verb)
}

/// Commands without arguments.
fn bare(name: &str) -> Option<Verb> {
    Some(match name {
        "CAPABILITY" => Verb::Capability,
        "NOOP" => Verb::Noop,
        "LOGOUT" => Verb::Logout,
        "STARTTLS" => Verb::StartTls,
        "CHECK" => Verb::Check,
        "CLOSE" => Verb::Close,
        "UNSELECT" => Verb::Unselect,
        "EXPUNGE" => Verb::Expunge(None),
        "IDLE" => Verb::Idle,
        "NAMESPACE" => Verb::Namespace,
        _ => return None,
    })
}

fn with_arguments(words: &mut Words, name: &str) -> Result<Verb, Why> {
    words.space().map_err(|_| "unknown command, or its arguments are missing")?;
    Ok(match name {
        "LOGIN" => login(words)?,
        "AUTHENTICATE" => authenticate(words)?,
        "ID" => id(words)?,
        "ENABLE" => enable(words)?,
        "SELECT" => select(words, false)?,
        "EXAMINE" => select(words, true)?,
        "CREATE" => Verb::Create(words.folder()?),
        "DELETE" => Verb::Delete(words.folder()?),
        "RENAME" => rename(words)?,
        "SUBSCRIBE" => Verb::Subscribe(words.folder()?),
        "UNSUBSCRIBE" => Verb::Unsubscribe(words.folder()?),
        "LIST" => Verb::List(list(words)?),
        "LSUB" => lsub(words)?,
        "STATUS" => status(words)?,
        "SEARCH" => Verb::Search(search(words, false)?),
        "FETCH" => Verb::Fetch(fetch(words, false)?),
        "STORE" => Verb::Store(store(words, false)?),
        "COPY" => copy(words, false)?,
        "MOVE" => moved(words, false)?,
        "UID" => by_uid(words)?,
        "GETQUOTA" => Verb::Quota { root: words.astring()? },
        "GETQUOTAROOT" => Verb::QuotaRoot { folder: words.folder()? },
        "SETQUOTA" => set_quota(words),
        "APPEND" => return Err("APPEND ends with the message as a literal"),
        _ => return Err("unknown command"),
    })
}

fn by_uid(words: &mut Words) -> Result<Verb, Why> {
    let name = words.capitals()?;
    words.space()?;
    Ok(match name.as_str() {
        "SEARCH" => Verb::Search(search(words, true)?),
        "FETCH" => Verb::Fetch(fetch(words, true)?),
        "STORE" => Verb::Store(store(words, true)?),
        "COPY" => copy(words, true)?,
        "MOVE" => moved(words, true)?,
        "EXPUNGE" => Verb::Expunge(Some(sequence_set(words)?)),
        _ => return Err("unknown UID command"),
    })
}

fn login(words: &mut Words) -> Result<Verb, Why> {
    let user = words.astring()?;
    words.space()?;
    Ok(Verb::Login { user, password: words.secret()? })
}

fn authenticate(words: &mut Words) -> Result<Verb, Why> {
    let mechanism = words.capitals()?;
    let mut initial = None;
    if words.eat(b' ') {
        let coded = words
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        if coded.is_empty() {
            return Err("expected the initial response in base64");
        }
        initial = Some(crate::command::Secret(coded.to_vec()));
    }
    Ok(Verb::Authenticate { mechanism, initial })
}

fn id(words: &mut Words) -> Result<Verb, Why> {
    if words.eat_word("NIL") {
        return Ok(Verb::Id(Vec::new()));
    }
    words.open()?;
    let mut pairs = Vec::new();
    while !words.eat(b')') {
        if !pairs.is_empty() {
            words.space()?;
        }
        if pairs.len() >= ID_PAIRS {
            return Err("ID has too many fields");
        }
        let field = words.string()?;
        words.space()?;
        pairs.push((field, words.nstring()?));
    }
    Ok(Verb::Id(pairs))
}

fn enable(words: &mut Words) -> Result<Verb, Why> {
    let mut names = vec![words.capitals()?];
    while words.eat(b' ') {
        names.push(words.capitals()?); // bounded by the command's length
    }
    Ok(Verb::Enable(names))
}

fn select(words: &mut Words, read_only: bool) -> Result<Verb, Why> {
    let folder = words.folder()?;
    let mut condstore = false;
    if words.eat(b' ') {
        words.listed(4, |words| {
            condstore |= words.eat_word("CONDSTORE");
            if condstore { Ok(()) } else { Err("unknown SELECT parameter") }
        })?;
    }
    Ok(Verb::Select { folder, condstore, read_only })
}

fn rename(words: &mut Words) -> Result<Verb, Why> {
    let from = words.folder()?;
    words.space()?;
    Ok(Verb::Rename { from, to: words.folder()? })
}

fn lsub(words: &mut Words) -> Result<Verb, Why> {
    let reference = words.folder()?;
    words.space()?;
    Ok(Verb::Lsub { reference, pattern: words.pattern()? })
}

fn status(words: &mut Words) -> Result<Verb, Why> {
    let folder = words.folder()?;
    words.space()?;
    Ok(Verb::Status { folder, items: status_items(words)? })
}

fn copy(words: &mut Words, uid: bool) -> Result<Verb, Why> {
    let set = sequence_set(words)?;
    words.space()?;
    Ok(Verb::Copy { set, folder: words.folder()?, uid })
}

fn moved(words: &mut Words, uid: bool) -> Result<Verb, Why> {
    let set = sequence_set(words)?;
    words.space()?;
    Ok(Verb::Move { set, folder: words.folder()?, uid })
}

/// Quotas are set by the operator's command, never over IMAP, so its arguments are not read.
fn set_quota(words: &mut Words) -> Verb {
    words.take_while(|_| true);
    Verb::SetQuota
}

/// The head of an APPEND up to its message: `None` if this is not one, or if the literal that
/// follows is the folder's name.
pub(crate) fn append_head(octets: &[u8]) -> Option<Result<Append, Refusal>> {
    let mut words = Words::new(octets);
    let tag = tag(&mut words).ok()?;
    if words.capitals().ok()? != "APPEND" || words.space().is_err() || words.is_at_end() {
        return None;
    }
    Some(match append_arguments(&mut words) {
        Ok((folder, flags, date)) => Ok(Append { tag, folder, flags, date, size: 0, waits: false }),
        Err(why) => Err(Refusal { tag: Some(tag), why }),
    })
}

fn append_arguments(words: &mut Words) -> Result<(String, FlagSet, Option<Moment>), Why> {
    let folder = words.folder()?;
    words.space()?;
    let mut flags = FlagSet::default();
    if words.peek() == Some(b'(') {
        flags = flag_set(words)?;
        words.space()?;
    }
    let mut date = None;
    if words.peek() == Some(b'"') {
        date = Some(moment(words)?);
        words.space()?;
    }
    words.end()?;
    Ok((folder, flags, date))
}
