//! The words of an incident: what makes two of them the same sort, and of whom they speak.

/// Of so many characters the warden lets an alarm be; the rest says nothing new.
const CHARACTERS: usize = 240;
/// Hexadecimal digits that are an id even without a digit among them.
const ID_DIGITS: usize = 12;
/// How a storm that is over begins, when its number is taken off.
const MORE: &str = "# more";

/// The words without what differs from one to the next of a sort: numbers, ids, and how many more
/// there were.
pub fn shape(what: &str) -> String {
    let mut shape = String::new();
    let mut piece = String::new();
    for letter in what.chars().take(CHARACTERS) {
        if letter.is_ascii_alphanumeric() {
            piece.push(letter);
        } else {
            put(&mut shape, &mut piece);
            shape.push(letter);
        }
    }
    put(&mut shape, &mut piece);
    let first = shape.strip_prefix(MORE).and_then(|rest| rest.split_once(": "));
    first.map(|(_, first)| first.to_owned()).unwrap_or(shape)
}

fn put(shape: &mut String, piece: &mut String) {
    let has_digits = piece.bytes().any(|octet| octet.is_ascii_digit());
    let is_hex = piece.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_hex && (has_digits || piece.len() >= ID_DIGITS) {
        shape.push('#');
    } else {
        let mut is_number = false;
        for letter in piece.chars() {
            if !letter.is_ascii_digit() {
                shape.push(letter);
            } else if !is_number {
                shape.push('#');
            }
            is_number = letter.is_ascii_digit();
        }
    }
    piece.clear();
}

/// The id behind a word of ours, `tenant 0011223344556677`. Whoever reports it may lie: it is for
/// people to read and for counting apart, and nothing is done to anybody by it.
pub fn named<Id>(what: &str, word: &str, parse: fn(&str) -> Option<Id>) -> Option<Id> {
    let mut words = what.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.find(|one| *one == word)?;
    words.next().and_then(parse)
}

#[cfg(test)]
mod tests {
    use super::{named, shape};
    use terms::TenantId;

    #[test]
    fn numbers_and_ids_make_no_other_sort() {
        let check = |what: &str, expected: &str| assert_eq!(shape(what), expected);
        check("tenant 0011aabbccddeeff asks for 17 addresses", "tenant # asks for # addresses");
        check("entry deadbeefcafebabe is gone", "entry # is gone");
        check("wal9: bad face added", "wal#: bad face added");
        check("12 more: budget of user 00aa", "budget of user #");
        check("3 more of many sorts: a: b", "a: b");
        check("stands/00112233445566778899aabbccddeeff", "stands/#");
        check("住所 5 件", "住所 # 件");
        assert_eq!(shape(&"あ".repeat(9_000)).chars().count(), 240);
    }

    #[test]
    fn a_tenant_is_named_by_its_word() {
        let check = |what: &str, expected: Option<[u8; 8]>| {
            assert_eq!(named(what, "tenant", TenantId::parse), expected.map(TenantId), "{what}");
        };
        check("others stand there: tenant 0101010101010101, x", Some([1; 8]));
        check("budget: tenant: 0101010101010101", None);
        check("tenant 01010101010101", None);
        check("a tenant", None);
        check("", None);
    }
}
