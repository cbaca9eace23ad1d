//! What was checked before an answer was read, and what that found: a sentence about it says no
//! more than was done.

use crate::words::Language;

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    #[default]
    Nothing,
    /// The whole ledger, and that its mirror holds the same.
    Both,
    /// The whole ledger; there was no mirror to compare it with.
    Ledger,
    /// A mirror's whole copy, without the ledger.
    Mirror,
    /// Something is wrong: the reasons, unless they are told elsewhere.
    Wanting(Vec<String>),
}

impl Checked {
    /// Whether all of it was checked and found right.
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Both | Self::Ledger | Self::Mirror)
    }

    /// For programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Both => "ledger and mirror",
            Self::Ledger => "ledger",
            Self::Mirror => "mirror",
            Self::Wanting(_) => "wanting",
        }
    }

    pub fn problems(&self) -> &[String] {
        match self {
            Self::Wanting(problems) => problems,
            _ => &[],
        }
    }
}

/// In a sentence, by the word for programs.
pub(crate) fn told(word: &str, language: Language) -> &'static str {
    match word {
        "ledger and mirror" => {
            language.say("台帳全体と写しを照合済み", "the whole ledger and its mirror were checked")
        }
        "ledger" => language.say(
            "台帳全体を検査済み（照合する写しはない）",
            "the whole ledger was checked; there was no mirror to compare it with",
        ),
        "mirror" => language.say(
            "写し全体を検査済み（台帳とは照合していない）",
            "the mirror's whole copy was checked, without the ledger",
        ),
        "wanting" => language.say("検査の結果、問題あり", "checked and found wanting"),
        _ => language.say(
            "台帳全体と写しには照合していない",
            "not checked against the whole ledger and its mirror",
        ),
    }
}

/// Above figures that are read from evidence that was found wanting.
pub(crate) fn warning(language: Language) -> &'static str {
    language.say(
        "証拠に問題があります。以下の件数は残っている記録だけによるもので、実際はこれより多い可能性があります",
        "the evidence was found wanting: the figures below are of what is left of it, and there \
         may have been more",
    )
}
