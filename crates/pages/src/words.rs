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
    /// Of a link that has served.
    pub over_title: &'static str,
    pub over: &'static str,
    pub unknown_title: &'static str,
    pub unknown: &'static str,
    pub later_title: &'static str,
    pub later: &'static str,
    /// Which list, and whose subscription.
    pub list: &'static str,
    pub member: &'static str,
    pub root_title: &'static str,
    pub root: &'static str,
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
    over_title: "配信はすでに停止しています",
    over: "このリンクの登録は、もう終わっています。同じメーリングリストのメールがまだ届く場合は、新しいメールにあるリンクを開いてください。",
    unknown_title: "このリンクは使えません",
    unknown: "リンクが途中で切れているか、有効でなくなっています。届いたメールのリンクをもう一度そのまま開いてみてください。",
    later_title: "いまは受け付けられません",
    later: "配信はまだ停止していません。一分ほどおいて、もう一度お試しください。",
    list: "メーリングリスト: ",
    member: "登録アドレス: ",
    root_title: "メールサービスのページ",
    root: "メーリングリストの配信停止と、保留中のメールへの回答を受け付けています。届いたメールにあるリンクを開いてください。",
    other_language: "English",
};

const ENGLISH: Words = Words {
    asks_title: "Leave this mailing list?",
    asks: "Its mail will no longer come to you. Nothing changes until you press the button.",
    button: "Leave the list",
    done_title: "You have left the list",
    done: "Its mail will no longer come to you. You may close this page.",
    over_title: "This subscription has ended",
    over: "The subscription that this link belongs to is over. If mail of the list still comes to you, open the link in a newer message.",
    unknown_title: "This link cannot be used",
    unknown: "It was cut short, or it holds no longer. Open the link in the mail once more, as it stands there.",
    later_title: "This cannot be done right now",
    later: "You are still on the list. Please try again in a minute.",
    list: "Mailing list: ",
    member: "Your address: ",
    root_title: "Pages of a mail service",
    root: "Here people leave mailing lists, and answer for mail that is held. Open the link in the mail that came to you.",
    other_language: "日本語",
};

/// Of mail that is held, and whose it is.
pub(crate) struct Held {
    pub mine_title: &'static str,
    pub mine: &'static str,
    pub mine_button: &'static str,
    pub to_mine: &'static str,
    pub not_mine_title: &'static str,
    pub not_mine: &'static str,
    pub not_mine_button: &'static str,
    pub to_not_mine: &'static str,
    pub number: &'static str,
    pub sent_title: &'static str,
    pub sent: &'static str,
    pub discarded_title: &'static str,
    pub discarded: &'static str,
    pub stopped_title: &'static str,
    pub stopped: &'static str,
    /// What else is held in their name.
    pub no_more: &'static str,
    pub one_more: &'static str,
    pub more: &'static str,
    pub unknown_title: &'static str,
    pub unknown: &'static str,
    pub later_title: &'static str,
    pub later: &'static str,
}

pub(crate) fn held(language: Language) -> &'static Held {
    match language {
        Language::Japanese => &HELD_JAPANESE,
        Language::English => &HELD_ENGLISH,
    }
}

const HELD_JAPANESE: Held = Held {
    mine_title: "このメールを送信しますか",
    mine: "あなたの名前で送られたメールを保留しています。あなたが送ったものなら、ボタンを押すと送信されます。押すまでは何も変わりません。",
    mine_button: "私が送りました。送信する",
    to_mine: "自分で送ったメールだった",
    not_mine_title: "心当たりがないメールですか",
    not_mine: "ボタンを押すと、このメールは送信されずに破棄され、あなたの送信用アプリパスワードがすべて無効になります。受信したメールは、これまでどおり読めます。押すまでは何も変わりません。",
    not_mine_button: "私ではありません。破棄する",
    to_not_mine: "このメールに心当たりがない",
    number: "メールの番号: ",
    sent_title: "メールを送信します",
    sent: "保留を解除しました。まもなく送信されます。このページは閉じてかまいません。",
    discarded_title: "メールを破棄しました",
    discarded: "このメールは送信されません。送信用のアプリパスワードは数秒のうちに無効になります。管理者にも警報を送りました。新しいアプリパスワードは、管理者に依頼してください。",
    stopped_title: "これ以上の送信を止めました",
    stopped: "このメールはもう保留中ではなく、すでに送信されたか、取り消されています。送信用のアプリパスワードは数秒のうちに無効になります。管理者にも警報を送りました。新しいアプリパスワードは、管理者に依頼してください。",
    no_more: "あなたの名前で保留中のメールは、ほかにありません。",
    one_more: "あなたの名前のメールが、ほかに 1 通、まだ保留中です。受信箱に届いた、そのメールについての問い合わせにも回答してください。回答がなければ送信されずに戻されます。",
    more: "あなたの名前のメールが、ほかに {} 通、まだ保留中です。受信箱に届いた、それぞれのメールについての問い合わせにも回答してください。回答がなければ送信されずに戻されます。",
    unknown_title: "このリンクは使えません",
    unknown: "リンクが途中で切れているか、期限が過ぎているか、すでに誰かが決めています。届いたメールのリンクをもう一度そのまま開くか、管理者に尋ねてください。",
    later_title: "いまは受け付けられません",
    later: "まだ何も決まっていません。一分ほどおいて、もう一度お試しください。",
};

const HELD_ENGLISH: Held = Held {
    mine_title: "Send this message?",
    mine: "A message in your name is being held. If you wrote it, press the button and it is sent. Nothing changes until you press it.",
    mine_button: "It was me: send it",
    to_mine: "It was me after all",
    not_mine_title: "Not your message?",
    not_mine: "The button discards the message unsent and revokes every app password that you send with. You can go on reading your mail. Nothing changes until you press it.",
    not_mine_button: "It was not me: discard it",
    to_not_mine: "I did not write it",
    number: "Message number: ",
    sent_title: "Your message is on its way",
    sent: "It is no longer held and leaves in a moment. You may close this page.",
    discarded_title: "The message is discarded",
    discarded: "It will not be sent. The app passwords that you send with end within seconds, and your administrator has been alerted. Ask them for new ones.",
    stopped_title: "Sending in your name is stopped",
    stopped: "The message was no longer held: it had been sent or cancelled before. The app passwords that you send with end within seconds, and your administrator has been alerted. Ask them for new ones.",
    no_more: "Nothing else is held in your name.",
    one_more: "1 more message is still held in your name. Answer the letter about it in your INBOX, too; if nobody does, it comes back unsent.",
    more: "{} more messages are still held in your name. Answer the letter about each in your INBOX, too; what nobody answers comes back unsent.",
    unknown_title: "This link cannot be used",
    unknown: "It was cut short, its time is over, or somebody has decided already. Open the link in the letter once more, as it stands there, or ask your administrator.",
    later_title: "This cannot be done right now",
    later: "Nothing has been decided yet. Please try again in a minute.",
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
