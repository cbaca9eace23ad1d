//! Names that look like other names: letters of other scripts, digits for letters, kanji for
//! kana, a known house's name in front of somebody else's domain.

use super::punycode;
use crate::seen::{self, Notes};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// A house that is often pretended to be: words of its display names, and its own domains.
pub(crate) struct House {
    pub words: &'static [&'static str],
    pub domains: &'static [&'static str],
}

const fn house(words: &'static [&'static str], domains: &'static [&'static str]) -> House {
    House { words, domains }
}

/// Houses named most often in reports of phishing in Japan. Words are compared in lower case.
pub(crate) const HOUSES: &[House] = &[
    house(
        &["amazon", "アマゾン"],
        &["amazon.co.jp", "amazon.com", "amazon.jp", "amazonaws.com", "amazonses.com"],
    ),
    house(
        &["楽天", "rakuten"],
        &[
            "rakuten.co.jp",
            "rakuten.com",
            "rakuten-card.co.jp",
            "rakuten-bank.co.jp",
            "rakuten-sec.co.jp",
            "rakuten.jp",
            "rakuten.ne.jp",
        ],
    ),
    house(
        &["三井住友", "smbc"],
        &["smbc.co.jp", "smbc-card.com", "vpass.ne.jp", "smbcnikko.co.jp", "smbcgroup.com"],
    ),
    house(&["三菱ufj", "mufg"], &["mufg.jp", "bk.mufg.jp", "cr.mufg.jp", "mufgcard.com"]),
    house(&["みずほ銀行", "mizuho"], &["mizuhobank.co.jp", "mizuho-fg.co.jp", "mizuho-sc.com"]),
    house(
        &["ゆうちょ", "日本郵便"],
        &["jp-bank.japanpost.jp", "japanpost.jp", "post.japanpost.jp"],
    ),
    house(&["イオンカード", "aeon"], &["aeon.co.jp", "aeon.info", "aeonbank.co.jp", "aeon.com"]),
    house(&["エポスカード"], &["eposcard.co.jp", "01epos.jp"]),
    house(&["セゾンカード", "クレディセゾン"], &["saisoncard.co.jp", "saison-card.jp"]),
    house(&["jcbカード", "myjcb"], &["jcb.co.jp", "jcb.jp", "myjcb.jp"]),
    house(&["えきねっと", "jr東日本"], &["eki-net.com", "jreast.co.jp", "jre-pass.com"]),
    house(&["etc利用照会"], &["etc-meisai.jp"]),
    house(&["ヤマト運輸", "クロネコ"], &["kuronekoyamato.co.jp", "yamatofinancial.jp"]),
    house(&["佐川急便"], &["sagawa-exp.co.jp"]),
    house(&["国税庁", "e-tax"], &["nta.go.jp"]),
    house(&["nttドコモ", "dアカウント"], &["docomo.ne.jp", "nttdocomo.co.jp", "nttdocomo.com"]),
    house(&["ソフトバンク"], &["softbank.jp", "softbank.co.jp", "softbank.ne.jp"]),
    house(&["メルカリ", "mercari"], &["mercari.jp", "mercari.com"]),
    house(&["paypay"], &["paypay.ne.jp", "paypay-corp.co.jp", "paypay-card.co.jp"]),
    house(&["paypal"], &["paypal.com", "paypal.co.jp"]),
    house(&["apple id", "icloud"], &["apple.com", "icloud.com"]),
    house(
        &["microsoft", "office 365", "office365"],
        &["microsoft.com", "office.com", "microsoftonline.com", "office365.com", "outlook.com"],
    ),
    house(&["google"], &["google.com", "google.co.jp", "youtube.com", "gmail.com"]),
    house(&["facebook", "instagram"], &["facebook.com", "facebookmail.com", "instagram.com"]),
    house(&["netflix"], &["netflix.com"]),
    house(&["野村證券", "野村証券"], &["nomura.co.jp", "nomura.com"]),
    house(&["sbi証券"], &["sbisec.co.jp"]),
    house(&["マネックス証券"], &["monex.co.jp"]),
    house(&["dhl"], &["dhl.com"]),
    house(&["fedex"], &["fedex.com"]),
    house(&["docusign"], &["docusign.com", "docusign.net"]),
];

/// The part of a host name that somebody registered: two labels, three below the second-level
/// names of Japan and others. A rule of thumb; the whole list would be data to keep fresh.
pub(crate) fn registrable(host: &str) -> &str {
    const SECOND: [&str; 16] = [
        "co", "ne", "or", "go", "ac", "ad", "ed", "gr", "lg", "com", "net", "org", "gov", "edu",
        "gov", "mil",
    ];
    let host = host.trim_end_matches('.');
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else {
        return host;
    };
    let middle = host.get(second + 1..last).unwrap_or_default();
    let country = host.len() - last - 1 == 2;
    let start = match country && SECOND.contains(&middle) {
        true => dots.next().map_or(0, |third| third + 1),
        false => second + 1,
    };
    host.get(start..).unwrap_or(host)
}

/// Whether `host` is one of `domains` or below one.
pub(crate) fn belongs(host: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// A known domain, made ready to be compared with.
struct Known {
    domain: String,
    registrable: String,
    label: String,
    skeleton: String,
    /// `amazon-co-jp` and `amazon.co.jp.`: how it is worn in front of another domain.
    joined: String,
    /// A finder that is made once: to make one costs many times what it costs to look. Domains of
    /// receivers are compared, but never worn: they have none.
    dotted: Option<Finder<'static>>,
}

impl Known {
    fn new(domain: &str, is_house: bool) -> Self {
        let registrable = registrable(domain).to_owned();
        let label = first_label(&registrable).to_owned();
        Self {
            domain: domain.to_owned(),
            skeleton: skeleton(&label),
            registrable,
            label,
            joined: domain.replace('.', "-"),
            dotted: is_house.then(|| Finder::new(&format!("{domain}.")).into_owned()),
        }
    }
}

/// The table, made ready once.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let domains = HOUSES.iter().flat_map(|house| house.domains);
    domains.map(|domain| Known::new(domain, true)).collect()
});

/// Makes the table, if nobody has yet.
pub(crate) fn prepare() {
    LazyLock::force(&KNOWN);
}

/// Looks at a host name that a person will read as somebody's. `own`: domains of the receivers.
pub(crate) fn look(host: &str, own: &[String], notes: &mut Notes) {
    let shown = punycode::to_unicode(host);
    if shown.split('.').any(mixes_scripts) {
        notes.note(seen::LOOKALIKE_SCRIPTS, shown.as_str());
    }
    let mine = registrable(&shown);
    let own: Vec<Known> = own.iter().map(|domain| Known::new(registrable(domain), false)).collect();
    let known = || KNOWN.iter().chain(&own);
    if known().any(|known| known.registrable == mine || belongs(&shown, &[&known.domain])) {
        return;
    }
    let my_label = first_label(mine);
    let my_skeleton = skeleton(my_label);
    let like = known().find(|known| is_like(my_label, &my_skeleton, known));
    if let Some(known) = like {
        notes.note(seen::LOOKALIKE_DOMAIN, format!("{shown} ≈ {}", known.domain));
        return;
    }
    // `amazon-co-jp.example`, `rakuten.co.jp.example`: the house's name before the real end.
    let worn = known().any(|known| {
        let Some(dotted) = &known.dotted else { return false };
        let tail = mine.strip_prefix(known.joined.as_str());
        tail.is_some_and(|tail| tail.starts_with(['-', '.']))
            || dotted.find(shown.as_bytes()).is_some()
    });
    if worn {
        notes.note(seen::LOOKALIKE_WORN, shown.as_str());
    }
}

fn first_label(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

/// The same to the eye, or one slip of the finger apart (only for names long enough that such
/// neighbours are no accident). The same label below another top level is no look-alike.
fn is_like(label: &str, face: &str, known: &Known) -> bool {
    if known.label.len() < 4 || label == known.label {
        return false;
    }
    if face == known.skeleton {
        return true;
    }
    let long = known.label.len() >= 7 && label.len() >= 7;
    long && is_one_slip(label.as_bytes(), known.label.as_bytes())
}

/// One octet changed, added, lost, or two neighbours swapped.
fn is_one_slip(one: &[u8], other: &[u8]) -> bool {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
    match (one, other) {
        ([a, b, rest @ ..], [c, d, others @ ..]) if a == d && b == c && rest == others => true,
        ([_, rest @ ..], [_, others @ ..]) if rest == others => true,
        ([_, rest @ ..], other) if rest == other => true,
        (one, [_, others @ ..]) => one == others,
        _ => false,
    }
}

/// A name as the eye takes it.
pub(crate) fn skeleton(text: &str) -> String {
    let lower: String = text.chars().flat_map(char::to_lowercase).map(face).collect();
    lower.replace("rn", "m").replace("vv", "w").replace("cl", "d")
}

/// The letter that another letter is taken for.
fn face(letter: char) -> char {
    match letter {
        '0' | 'о' | 'ο' | 'օ' | '〇' | 'ö' | 'ó' | 'ò' | 'ō' => 'o',
        '1' | 'i' | 'і' | 'ι' | 'ı' | 'ӏ' | '|' | 'í' | 'ì' | 'ï' | 'ł' => 'l',
        'а' | 'α' | 'á' | 'à' | 'ä' | 'â' | 'ā' | 'ɑ' => 'a',
        'е' | 'ε' | 'é' | 'è' | 'ë' | 'ē' => 'e',
        'с' | 'ϲ' | 'ç' => 'c',
        'р' | 'ρ' => 'p',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ý' => 'y',
        'ѕ' | '5' | 'ş' => 's',
        'ј' => 'j',
        'һ' => 'h',
        'ԁ' => 'd',
        'ԛ' => 'q',
        'ѡ' | 'ω' => 'w',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'н' | 'η' | 'ñ' => 'n',
        'т' | 'τ' => 't',
        'в' | 'β' => 'b',
        'ν' => 'v',
        'υ' | 'ü' | 'ú' | 'µ' => 'u',
        'ー' | '―' | '‐' | '‑' | '–' | '—' | '一' => '-',
        other => kana_face(other).unwrap_or(other),
    }
}

/// Kanji that are taken for katakana.
const KANA_FACES: [(char, char); 16] = [
    ('力', 'カ'),
    ('工', 'エ'),
    ('夕', 'タ'),
    ('口', 'ロ'),
    ('二', 'ニ'),
    ('八', 'ハ'),
    ('卜', 'ト'),
    ('三', 'ミ'),
    ('千', 'チ'),
    ('才', 'オ'),
    ('一', 'ー'),
    ('木', 'ホ'),
    ('匕', 'ヒ'),
    ('又', 'ヌ'),
    ('久', 'ク'),
    ('厶', 'ム'),
];

fn kana_face(letter: char) -> Option<char> {
    KANA_FACES.iter().find(|(kanji, _)| *kanji == letter).map(|(_, kana)| *kana)
}

#[derive(Clone, Copy, PartialEq)]
enum Script {
    Latin,
    Cyrillic,
    Greek,
    Other,
}

fn script(letter: char) -> Script {
    match letter {
        'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}' => Script::Latin,
        '\u{370}'..='\u{3FF}' => Script::Greek,
        '\u{400}'..='\u{52F}' => Script::Cyrillic,
        _ => Script::Other,
    }
}

/// Latin with Greek or Cyrillic in one word. Japanese mixes its own three and Latin honestly.
pub(crate) fn mixes_scripts(word: &str) -> bool {
    let has = |wanted: Script| word.chars().any(|letter| script(letter) == wanted);
    let (latin, cyrillic, greek) = (has(Script::Latin), has(Script::Cyrillic), has(Script::Greek));
    (latin && (cyrillic || greek)) || (cyrillic && greek)
}

/// A kanji in the place of a katakana: `ア力ウント`.
pub(crate) fn kanji_for_kana(text: &str) -> bool {
    let is_kana = |letter: &char| matches!(letter, 'ァ'..='ヺ');
    let letters: Vec<char> = text.chars().take(10_000).collect();
    letters.windows(3).any(|three| match three {
        [before, middle, after] => {
            // The plain number one between kana is ordinary (`カテゴリ一覧` needs kana after it).
            is_kana(before) && is_kana(after) && kana_face(*middle).is_some()
        }
        _ => false,
    })
}
