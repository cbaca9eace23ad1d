//! What a foreign program's C library asks for before its `main`: refused, told as any refusal is,
//! and nobody's attack.

/// A static program of glibc looks where it lies (`readlink` of `/proc/self/exe`, in
/// `_dl_non_dynamic_init`), the first call of its start that no charter has. What its pointer says
/// is not read, here as elsewhere: so it is known by its name and its place alone, and counted
/// apart, not left out.
const FIRST: [&str; 2] = ["readlink", "readlinkat"];

/// How many of an instance's refused calls, in their order, are that: the first, or none.
pub fn calls<'a>(mut refused: impl Iterator<Item = &'a str>) -> usize {
    usize::from(refused.next().is_some_and(|first| FIRST.contains(&first)))
}

/// For the cell's words.
pub fn words(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 refused call of its C library before main (readlink), not counted".to_owned(),
        count => {
            format!("; {count} refused calls of its C library before main (readlink), not counted")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{calls, words};

    #[test]
    fn only_the_first_call_of_a_start_is_told_apart() {
        let check = |refused: &[&str], expected: usize| {
            assert_eq!(calls(refused.iter().copied()), expected, "{refused:?}");
        };
        check(&[], 0);
        check(&["readlink"], 1);
        check(&["readlinkat", "socket"], 1);
        // Once it has done anything else, or does it again, it is the program's own.
        check(&["readlink", "readlink", "readlink"], 1);
        check(&["socket", "readlink"], 0);
        check(&["openat"], 0);
        assert!(words(0).is_empty() && words(1).contains("1 refused call of its C library"));
        assert!(words(3).contains("3 refused calls"));
    }
}
