//! The sentences that name places, figures and files, in Japanese. `{}`: what stands there, in the
//! same order, or by its number.

const GAP: &str = "{}";

#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    // What a folder was found to hold.
    ("the mirror's tiles of level {} differ from the entries at octet {}", "写しの段 {} のタイルが {} オクテット目で記録と食い違っている"),
    ("the mirror's places of entries differ from the entries at octet {}", "写しの記録の位置の表が {} オクテット目で記録と食い違っている"),
    ("the mirror's tiles of level {}: expected {} octets, found {}", "写しの段 {} のタイル: {} オクテットのはずが {} オクテットある"),
    ("the mirror's places of entries: expected {} octets, found {}", "写しの記録の位置の表: {} オクテットのはずが {} オクテットある"),
    ("the mirror's log was changed: {}", "写しの記録が書き換えられている: {}"),
    ("the mirror's log: entries up to {} were signed and cannot be read", "写しの記録: {} 件まで署名されたが、読み取れない"),
    ("the mirror's log: {} octets behind its last checkpoint, as a write that was cut off leaves them; the next start drops them", "写しの記録: 最後の checkpoint の後ろに {} オクテットある（書き込みが途中で切れた跡）。次の起動で捨てられる"),
    ("the mirror's log: {} octets behind its last checkpoint, {} of them no record: more than a write that was cut off leaves; somebody added to the file, or the disk lost power; the next start drops them", "写しの記録: 最後の checkpoint の後ろに {} オクテットあり、うち {} オクテットは記録ではない。書き込みが途中で切れた跡より多く、だれかが書き足したか、電源が落ちたものである。次の起動で捨てられる"),
    ("the mirror's anchor does not fit its log", "写しの anchor が、その記録と合わない"),
    ("the mirror's saved checkpoint speaks of {} entries, its log holds {}", "写しの保存した checkpoint は {} 件を指すが、写しの記録は {} 件である"),
    ("the mirror's saved checkpoint of {} entries has another root than its log", "写しの保存した {} 件の checkpoint は、写しの記録と根が違う"),
    ("written by an earlier version: no places noted yet", "以前の版が書いたもので、記録の位置の表がまだない"),
    ("the record at octet {} is cut off", "{} オクテット目の記録が途中で切れている"),
    ("{}, and {} octets follow: more than a batch has", "{0}。その後に {1} オクテットが続き、1 回の書き込みより多い"),
    ("no record stands at octet {}", "{} オクテット目に記録がない"),
    ("no checkpoint within {} octets of entries", "記録 {} オクテットの中に checkpoint がない"),
    ("the checkpoint at octet {} is not signed by a key that is believed", "{} オクテット目の checkpoint に、信じている鍵の署名がない"),
    ("the checkpoint at octet {} does not fit the entries before it", "{} オクテット目の checkpoint が、その前の記録と合わない"),
    ("the checkpoint at octet {} cannot be read", "{} オクテット目の checkpoint が読めない"),
    ("entry {} cannot be read", "記録 {} が読めない"),
    ("entry {} is not of its author's kind", "記録 {} は、書いた者の種類と合わない"),
    ("entry {} is not signed by its author", "記録 {} に、書いた者の署名がない"),
    ("entry {} is of an author whom nobody named", "記録 {} を書いた者は、どこにも名指されていない"),
    ("entry {}: expected number {} of {}, found {}", "記録 {0}: {2} の {1} 番目のはずが {3} 番目である"),
    ("entry {}: expected release {}, found {}", "記録 {}: 開示 {} のはずが {} である"),
    ("{} problems in all", "問題は全部で {} 件"),
    ("the checkpoint cannot be read", "checkpoint が読めない"),
    ("the checkpoint is not cosigned by the mirror", "checkpoint に写しの副署がない"),
    ("the checkpoint is not signed by the ledger", "checkpoint に台帳の署名がない"),
    ("the checkpoint speaks of {} entries under {}; these are {} under {}", "checkpoint は根 {1} の {0} 件を指すが、ここにあるのは根 {3} の {2} 件である"),
    ("the file of entries is cut off or damaged at {}", "記録のファイルが {} で途切れているか、壊れている"),
    ("the file of entries goes on behind its end", "記録のファイルが、その終わりの後ろに続いている。裏づけがない"),
    ("no subtree of height {} stands at {}", "{1} の位置に高さ {0} の部分木は置けない"),
    ("rolled back: a checkpoint of {} entries was seen here before, {} are left", "巻き戻されている: 以前に {} 件の checkpoint を見たが、残りは {} 件である"),
    ("forked: the first {} entries had the root {} when they were last seen", "履歴が分かれている: 先頭 {} 件の根は、前回は {} だった"),
    ("another ledger: a checkpoint of {} entries with the root {} was seen before, under another key than this log's", "別の台帳である: 以前に見た {} 件、根 {} の checkpoint は、この記録とは別の鍵で署名されていた"),
    // Files.
    ("could not use {}: {}", "{} を使えない: {}"),
    ("could not write {}", "{} に書けない"),
    ("{} holds no names: {}", "{} に名前の表がない: {}"),
    ("{} is no certificate: {}", "{} は証明書ではない: {}"),
    ("{} is damaged: expected {}, found something else", "{} が壊れている。{}のはずである"),
    ("the ledger's public key", "台帳の公開鍵"),
    ("the mirror's public key", "写しの公開鍵"),
    ("No such file or directory (os error 2)", "ファイルもフォルダーもない"),
    ("entity not found", "フォルダーがない"),
    ("Is a directory (os error 21)", "フォルダーである"),
    ("Not a directory (os error 20)", "フォルダーではない"),
    ("Permission denied (os error 13)", "権限がない"),
    ("name a folder that `sekisho ledger view` wrote, or a mirror's", "`sekisho ledger view` が書いたフォルダーか、写しのフォルダーを指定する"),
    ("name the certificate.json that `sekisho tenant certificate --to DIR` wrote", "`sekisho tenant certificate --to DIR` が書いた certificate.json を指定する"),
    // What the user typed.
    ("expected a value after {}", "{} の後に値が要る"),
    ("expected ja or en after --lang, found {}", "--lang の後は ja か en。実際: {}"),
    ("expected no more words, found {}", "余分な語がある: {}"),
    ("expected {}, found nothing", "{}がない"),
    ("expected a compartment's name, found {}", "区画の名前が要る。実際: {}"),
    ("expected a window that the log covers, found one that ends at {}; it begins at {}", "記録のある期間でなければならない。実際は {} に終わり、記録の始まり {} より前"),
    ("expected --from before --to, found the reverse", "--from は --to より前でなければならない。実際は逆"),
    ("expected view, mirror, certificate or scope, found {}", "view、mirror、certificate、scope のどれか。実際: {}"),
    ("expected one of --people and --messages, found both", "--people と --messages はどちらか一方"),
    ("expected a time such as 2026-11-22T09:00:00Z after {}, found {}", "{} の後は 2026-11-22T09:00:00Z のような時刻。実際: {}"),
    ("--people and --messages go with a scope", "--people と --messages は scope とともに使う"),
    ("--mirror and --witness-key go with a certificate", "--mirror と --witness-key は certificate とともに使う"),
    ("--mirror-ml-dsa-44-key goes with a mirror", "--mirror-ml-dsa-44-key は写しとともに使う"),
    ("--seen goes with a view or a mirror", "--seen は view か写しとともに使う"),
    ("--component", "--component "),
    ("a folder", "フォルダーの指定"),
    ("nothing", "なし"),
];

/// The sentence in Japanese; what is none of ours, such as a name, as it is.
pub fn in_japanese(text: &str) -> String {
    if let Some((_, japanese)) = WORDS.iter().find(|(english, _)| *english == text) {
        return (*japanese).to_owned();
    }
    // The first that fits, but one that begins with its own words before one that does not.
    let fitting = |(english, japanese): &(&str, &str)| {
        let values = values_of(english, text)?;
        Some(((!english.starts_with(GAP), english.len()), (*japanese).to_owned(), values))
    };
    match WORDS.iter().filter_map(fitting).max_by_key(|(rank, ..)| *rank) {
        Some((_, japanese, values)) => filled(japanese, &values),
        None => text.to_owned(),
    }
}

/// What stands in the gaps, if the text is that sentence.
fn values_of<'a>(sentence: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = sentence.split(GAP);
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let at = match pieces.peek() {
            // The last piece is the text's end.
            None => rest.len().checked_sub(piece.len()).filter(|_| rest.ends_with(piece))?,
            Some(_) => rest.find(piece)?,
        };
        values.push(rest.get(..at)?);
        rest = rest.get(at + piece.len()..)?;
    }
    (!values.is_empty()).then_some(values)
}

fn filled(mut said: String, values: &[&str]) -> String {
    for (at, value) in values.iter().enumerate() {
        let (numbered, value) = (format!("{{{at}}}"), in_japanese(value));
        let gap = if said.contains(&numbered) { &*numbered } else { GAP };
        said = said.replacen(gap, &value, 1);
    }
    said
}
