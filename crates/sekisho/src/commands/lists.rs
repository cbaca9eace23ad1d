//! Mailing lists: `list add`, `list member add`, and so on.

use super::grounds;
use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::ask_on;
use crate::outcome::{Answer, Outcome, Trouble};
use std::path::Path;
use wire::admin::Request;
use wire::lists::{Change, Command, Language, PAGE, Posting};

const ACTS: &str = "add, list, show, set, remove or member";
const MEMBER_ACTS: &str = "add or remove";

pub fn list(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let list = match arguments.word(ACTS)?.as_str() {
        "add" => Command::Add {
            tenant: arguments.required("--tenant")?,
            change: change(&mut arguments)?,
            address: super::spelled::address(&mut arguments)?,
        },
        "set" => {
            let change = change(&mut arguments)?;
            let address = arguments.word("the address")?;
            if change == Change::default() {
                let hint = "--name, --posting, --language, --bytes, --owner or --without-owner";
                return Err(super::contracts::nothing_to_set(hint));
            }
            Command::Set { change, address }
        }
        "list" => Command::List { tenant: arguments.option("--tenant")? },
        "show" => Command::Show { address: arguments.word("the address")? },
        "remove" => Command::Remove { address: arguments.word("the address")? },
        "member" => return member(arguments, &folder(data)?),
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &Request::List { list }, &grounds)
}

/// Many members in several requests: each is done or not as a whole.
fn member(mut arguments: Arguments, data: &Path) -> Answer {
    let act = arguments.word(MEMBER_ACTS)?;
    let grounds = grounds::take(&mut arguments)?;
    let address = arguments.word("the list's address")?;
    let mut members = vec![arguments.word("a member's address")?];
    while let Ok(member) = arguments.word("another member's address") {
        members.push(member);
    }
    arguments.finish()?;
    members.iter().try_for_each(|member| super::spelled::elsewhere(member))?;
    let request = |members: &[String]| {
        let (address, members) = (address.clone(), members.to_vec());
        let (with, without) = match act.as_str() {
            "add" => (members, Vec::new()),
            "remove" => (Vec::new(), members),
            other => return Err(unknown(MEMBER_ACTS, other.to_owned())),
        };
        Ok(Request::List { list: Command::Members { address, with, without } })
    };
    let mut pages = members.chunks(PAGE).peekable();
    while let Some(page) = pages.next() {
        match (pages.peek(), ask_on(data, &request(page)?, &grounds)?) {
            (Some(_), Outcome::Done(_)) => {}
            (_, answer) => return Ok(answer),
        }
    }
    Err(Trouble::wrong_use("a member's address", "none", "list member add LIST ADDRESS…"))
}

fn change(arguments: &mut Arguments) -> Result<Change, Trouble> {
    let posting = arguments.option("--posting")?;
    let language = arguments.option("--language")?;
    let bytes = arguments.option("--bytes")?;
    let number = |text: String| {
        let hint = "--bytes N: the largest message that it spreads";
        text.parse().map_err(|_| Trouble::wrong_use("a number of octets", text.clone(), hint))
    };
    Ok(Change {
        name: arguments.option("--name")?,
        posting: posting.map(posting_of).transpose()?,
        language: language.map(language_of).transpose()?,
        bytes: bytes.map(number).transpose()?,
        with_owners: arguments.options("--owner")?,
        without_owners: arguments.options("--without-owner")?,
    })
}

fn posting_of(word: String) -> Result<Posting, Trouble> {
    let found = Posting::ALL.into_iter().find(|posting| posting.word() == word);
    let hint = "who may write to the list: --posting members";
    found.ok_or_else(|| Trouble::wrong_use("members, owners or anyone", word, hint))
}

fn language_of(word: String) -> Result<Language, Trouble> {
    let found = Language::ALL.into_iter().find(|language| language.word() == word);
    let hint = "in which the list writes to its members: --language ja";
    found.ok_or_else(|| Trouble::wrong_use("ja or en", word, hint))
}

#[cfg(test)]
mod tests {
    use super::change;
    use crate::arguments::Arguments;
    use wire::lists::{Language, Posting};

    #[test]
    fn what_is_to_change_of_a_list() {
        let typed = |text: &str| {
            change(&mut Arguments::new(text.split_whitespace().map(str::to_owned).collect()))
        };
        let all =
            typed("--name News --posting owners --language en --bytes 1000 --owner a@b.example");
        let all = all.ok().unwrap();
        assert_eq!((all.posting, all.language), (Some(Posting::Owners), Some(Language::English)));
        assert_eq!((all.bytes, all.with_owners.len()), (Some(1_000), 1));
        assert_eq!(typed("").ok().unwrap(), Default::default());
        for wrong in ["--posting everybody", "--language fr", "--bytes many", "--bytes -1"] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
    }
}
