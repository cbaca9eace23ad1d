//! The demo's own words in both languages.

use super::screen::{Tone, is_japanese};

/// What a letter of the sample is, in the reader's language.
pub fn about(english: &'static str) -> &'static str {
    let japanese = ABOUT.iter().find(|(known, _)| *known == english);
    match japanese {
        Some((_, japanese)) if is_japanese() => japanese,
        _ => english,
    }
}

/// A verdict as a person would say it.
pub fn verdict(word: &str) -> &'static str {
    let (japanese, english) = match word {
        "deliver" => ("配信", "delivered"),
        "tag" => ("印付き配信", "tagged"),
        "junk" => ("迷惑メール", "junk"),
        "quarantine" => ("隔離", "quarantined"),
        "defer" => ("延期", "deferred"),
        _ => ("拒否", "refused"),
    };
    if is_japanese() { japanese } else { english }
}

pub fn tone(word: &str) -> Tone {
    match word {
        "deliver" => Tone::Good,
        "tag" | "junk" | "defer" => Tone::Watch,
        _ => Tone::Stopped,
    }
}

/// Which of several verdicts is shown: the gravest.
pub fn gravity(word: &str) -> u8 {
    match word {
        "deliver" => 0,
        "tag" => 1,
        "junk" => 2,
        "quarantine" => 3,
        "defer" => 4,
        _ => 5,
    }
}

const ABOUT: &[(&str, &str)] = &[
    ("a letter in ISO-2022-JP", "ISO-2022-JP の手紙"),
    ("a plain English letter", "英語の手紙"),
    ("a reply in the same thread", "同じやりとりへの返信"),
    ("a Japanese letter in UTF-8", "UTF-8 の日本語の手紙"),
    ("a newsletter, signed", "署名のあるメールマガジン"),
    ("a Japanese newsletter, signed", "署名のある日本語のメールマガジン"),
    ("to a plus-address", "「+」付きアドレスあて"),
    ("to an alias", "別名あて"),
    ("to postmaster", "postmaster あて"),
    ("a birthday card from a friend", "友人からの誕生日カード"),
    ("half-width kana and vendor characters", "半角カナと機種依存文字"),
    ("an invoice as PDF", "PDF の請求書"),
    ("a table with a Japanese name", "日本語名の表"),
    ("two attachments", "添付ファイル二つ"),
    ("a harmless zip", "無害な zip"),
    ("a shipping notice", "発送のお知らせ"),
    ("a long Japanese report", "長い日本語の報告書"),
    ("a notice to three people", "三人へのお知らせ"),
    ("a note to two organisations", "二つの組織あて"),
    ("a bounce, with the null sender", "差出人が空の不達通知"),
    ("phishing: a bank that did not send it", "フィッシング: 銀行を装うもの"),
    ("phishing: the display name of a colleague", "フィッシング: 同僚の名を騙るもの"),
    ("EICAR, bare", "EICAR そのまま"),
    ("EICAR in a zip in a zip", "zip の中の zip の中の EICAR"),
    ("a zip bomb", "zip 爆弾"),
    ("a program dressed as an invoice", "請求書を装うプログラム"),
    ("GTUBE, the spam test", "迷惑メール試験 GTUBE"),
    ("forged authentication results", "偽の認証結果"),
    ("an unknown recipient", "存在しない宛先"),
    ("a relay attempt", "中継の試み"),
    ("a smuggling attempt: two messages in one", "一通に二通を忍ばせる試み"),
];

#[cfg(test)]
mod tests {
    use super::{ABOUT, about};
    use crate::demo::sample::letters;

    #[test]
    fn every_letter_is_named_in_both_languages() {
        for letter in letters() {
            let named = ABOUT.iter().any(|(english, _)| *english == letter.about);
            assert!(named, "{}", letter.about);
            assert!(!about(letter.about).is_empty());
        }
    }
}
