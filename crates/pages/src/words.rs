//! What people read: a catalogue, Japanese and English, of which neither is the other's shadow.

use http::Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Japanese,
    English,
}

impl Language {
    pub fn code(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        [Self::Japanese, Self::English].into_iter().find(|language| language.code() == code)
    }

    pub fn other(self) -> Self {
        match self {
            Self::Japanese => Self::English,
            Self::English => Self::Japanese,
        }
    }

    /// Asked for in the address, or else preferred by the browser.
    pub fn of(request: &Request) -> Self {
        let asked = request.query.as_deref().and_then(|query| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix("lang="))?;
            Self::parse(value)
        });
        asked.unwrap_or_else(|| preferred(&request.accept_language))
    }
}

/// Of the two the one with the greater weight (RFC 9110 §12.5.4), the first of equals.
fn preferred(accepted: &str) -> Language {
    let mut best = (Language::English, 0u32);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let language = match tag.split('-').next().and_then(Language::parse) {
            Some(language) => language,
            None => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        if weight > best.1 {
            best = (language, weight);
        }
    }
    best.0
}

fn thousandths(weight: &str) -> u32 {
    let weight: f32 = weight.parse().unwrap_or(0.0);
    // At most 1000, and no number that is none.
    (weight.clamp(0.0, 1.0) * 1_000.0) as u32
}

pub(crate) struct Words {
    pub asks_title: &'static str,
    pub asks: &'static str,
    pub button: &'static str,
    pub done_title: &'static str,
    pub done: &'static str,
    pub unknown_title: &'static str,
    pub unknown: &'static str,
    pub later_title: &'static str,
    pub later: &'static str,
    pub other_language: &'static str,
}

pub(crate) fn words(language: Language) -> &'static Words {
    match language {
        Language::Japanese => &JAPANESE,
        Language::English => &ENGLISH,
    }
}

const JAPANESE: Words = Words {
    asks_title: "配信を停止しますか",
    asks: "このメーリングリストからのメールが届かなくなります。押すまでは何も変わりません。",
    button: "配信を停止する",
    done_title: "配信を停止しました",
    done: "このメーリングリストからのメールは、もう届きません。このページは閉じてかまいません。",
    unknown_title: "このリンクは使えません",
    unknown: "リンクが途中で切れているか、有効でなくなっています。届いたメールのリンクをもう一度そのまま開いてみてください。",
    later_title: "いまは受け付けられません",
    later: "配信はまだ停止していません。一分ほどおいて、もう一度お試しください。",
    other_language: "English",
};

const ENGLISH: Words = Words {
    asks_title: "Leave this mailing list?",
    asks: "Its mail will no longer come to you. Nothing changes until you press the button.",
    button: "Leave the list",
    done_title: "You have left the list",
    done: "Its mail will no longer come to you. You may close this page.",
    unknown_title: "This link cannot be used",
    unknown: "It was cut short, or it holds no longer. Open the link in the mail once more, as it stands there.",
    later_title: "This cannot be done right now",
    later: "You are still on the list. Please try again in a minute.",
    other_language: "日本語",
};

#[cfg(test)]
mod tests {
    use super::{Language, preferred};

    #[test]
    fn the_browser_says_which_language() {
        for (accepted, expected) in [
            ("", Language::English),
            ("ja", Language::Japanese),
            ("ja-JP, en;q=0.8", Language::Japanese),
            ("en-GB,en;q=0.9,ja;q=0.8", Language::English),
            ("fr, ja;q=0.2", Language::Japanese),
            ("en;q=0.1, JA;q=0.2", Language::Japanese),
            ("ja;q=nan, en;q=0.1", Language::English),
            ("de", Language::English),
        ] {
            assert_eq!(preferred(accepted), expected, "{accepted}");
        }
    }
}
