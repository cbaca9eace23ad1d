//! Where a leg stands, how it ended and why, in sentences: Japanese and English.

use super::members::Members;
use wire::post::{State, TlsFlaw, WayIn, Why};

/// What the destination did, where the status is as a rule ours: it answered none.
fn unanswered(why: Why) -> Option<[&'static str; 2]> {
    Some(match why {
        // Ours, of a gateway that was taken away; a remote may say it, too.
        Why::Answered { class: 4, subject: 1, detail: 1 } => [
            "このアドレスの利用者は、いまのところいません（4.1.1）。ゲートウェイの設定を外した\
             ドメインなら、利用者を追加するか、ゲートウェイを設定し直すと届きます。再送を待っています。",
            "nobody has this address now (4.1.1). If its domain's gateway was taken away, add the \
             person or name the gateway anew. It will be tried again until its time is over",
        ],
        // RFC 3463: X.4.3, a directory server; here it is the destination's DNS.
        Why::Answered { class: 4, subject: 4, detail: 3 } => [
            "宛先のドメインの DNS が応答しないか、壊れています（4.4.3）。届け先のサーバー、\
             またはその証明書の情報（TLSA）が分からないため、再送を待っています。どの宛先でも\
             同じなら、当サーバーの DNS リゾルバーを確認してください。",
            "the destination's own DNS does not answer, or is broken (4.4.3): which server takes \
             its mail, or which certificate that must show (TLSA), is not known. It will be tried \
             again. If it is so everywhere, look at the resolver of this house",
        ],
        Why::Answered { class: 4, subject: 4, detail: 2 } => [
            "宛先のサーバーにはつながりましたが、受け取られる前に接続が切れました（4.4.2）。\
             再送を待っています。",
            "the destination's server was reached, and the connection broke before it had taken \
             the mail (4.4.2): it will be tried again",
        ],
        // What is said when it is greeted, too: that is no word about this house.
        Why::Answered { class: 4, subject: 5, detail: 0 }
        | Why::TurnedAway { class: 4, subject: 5, detail: 0 } => [
            "宛先のサーバーとのやり取りが SMTP の規則に合いません（4.5.0）。再送を待っています。",
            "what the destination's server says does not fit SMTP (4.5.0): it will be tried again",
        ],
        _ => return None,
    })
}

/// What stands in the way, Japanese and English.
pub fn waits_for(why: Why) -> [String; 2] {
    if let Some(words) = unanswered(why) {
        return words.map(str::to_owned);
    }
    let [japanese, english] = match why {
        Why::Answered { class, subject, detail } => {
            let status = format!("{class}.{subject}.{detail}");
            return [
                format!("宛先が {status} と応答しました。再送を待っています。"),
                format!("the destination answered {status}: it will be tried again"),
            ];
        }
        Why::TurnedAway { class, subject, detail } => {
            let status = format!("{class}.{subject}.{detail}");
            return [
                format!(
                    "宛先が接続の時点で当サーバーを拒んでいます（{status}。応答の文はログにあります）。\
                     送信元 IP アドレスがブロックリストに載っていないか確認してください。\
                     再送を待っています。"
                ),
                format!(
                    "the destination turns this house away before any mail is offered ({status}; \
                     its words are in the log): is our address on a block list? It will be tried \
                     again"
                ),
            ];
        }
        Why::MaybeTaken => [
            "宛先のサーバーは本文を最後まで受け取りましたが、応答しないまま接続が切れました\
             （4.4.2）。すでに届いている可能性があります。再送を待っています\
             （二重に届くことがあります）。",
            "the destination's server had all of the mail, and the connection broke before it \
             answered (4.4.2): it may have taken it. It will be tried again, and may arrive twice",
        ],
        Why::Unreachable => [
            "宛先に接続できません。再送を待っています。",
            "the destination cannot be reached: it will be tried again",
        ],
        Why::Ours => [
            "こちらの一時的な障害（鍵、証跡など）のため待っています。まもなく再送します。",
            "something of our own is away (keys, evidence): it will be tried again soon",
        ],
        Why::NoResolver => [
            "当サーバーの DNS リゾルバーが応答しないため待っています（宛先の問題ではありません）。\
             どのリゾルバーかは `alarms list` で確認できます。まもなく再送します。",
            "no resolver of this house answers, which says nothing of the destination: `alarms \
             list` says which. It will be tried again soon",
        ],
        Why::Unsafe => [
            "宛先に必要な TLS または証明書の確認ができないため待っています。",
            "the destination must be reached over TLS with a proven certificate, and is not",
        ],
        Why::Insecure { flaw, is_named } => return insecure(flaw, is_named, false),
        // It waits for nothing: it went back.
        Why::Unproven => return unproven(),
        Why::NoWayIn(way) => return no_way_in(way).map(str::to_owned),
        Why::NotSignedIn => [
            "スマートホストが認証情報（ユーザー名またはパスワード）を受け付けません。\
             `tenant set NAME --send-user NAME` で設定し直してください。",
            "the smart host does not accept our sign-in (user name or password): set it anew with \
             `tenant set NAME --send-user NAME`",
        ],
    };
    [japanese.to_owned(), english.to_owned()]
}

/// A sign-in that could not be told.
fn no_way_in(way: WayIn) -> [&'static str; 2] {
    match way {
        WayIn::NotOffered => [
            "認証情報が設定されていますが、スマートホストが認証（AUTH）を受け付けていないため\
             待っています（認証なしでは送りません）。ホスト名とポートを確認してください。認証なしで\
             送るには `tenant set NAME --no-send-user` を使います。",
            "a sign-in is set, and the smart host offers nobody to sign in (AUTH): it is not sent \
             without. Is it the right host and port? To send without a sign-in: \
             `tenant set NAME --no-send-user`",
        ],
        WayIn::NoneOfOurs => [
            "スマートホストの認証方式に、当サーバーが対応しているもの（PLAIN・LOGIN）がないため\
             待っています。そのホストの運用者に確認してください。",
            "the smart host offers no way to sign in that this house speaks (PLAIN or LOGIN): ask \
             whoever runs that host",
        ],
        WayIn::NotNow => [
            "スマートホストの認証が一時的に使えません（相手側の障害です。認証情報が誤っているとは\
             限りません）。再送を待っています。",
            "the smart host cannot take our sign-in at the moment (a fault of its own, and not for \
             a wrong password): it will be tried again",
        ],
    }
}

/// What is wrong with TLS that must be there. `is_named`: with a smart host, or a gateway's server.
fn insecure(flaw: TlsFlaw, is_named: bool, is_over: bool) -> [String; 2] {
    let who = match is_named {
        true => ["スマートホストまたはゲートウェイ", "the smart host or gateway"],
        false => ["宛先のサーバー", "the destination's server"],
    };
    let [ja, en] = match flaw {
        TlsFlaw::NotOffered => {
            ["は、必要な TLS に対応していません。", "does not offer the TLS that it must"]
        }
        TlsFlaw::OtherName => {
            ["の証明書は、別の名前のものです。", "shows a certificate for another name"]
        }
        TlsFlaw::Expired => [
            "の証明書は、有効期限が切れているか、まだ始まっていません。",
            "shows a certificate that has expired, or is not valid yet",
        ],
        TlsFlaw::NotTrusted => [
            "の証明書は、信頼できる認証局のものではありません。",
            "shows a certificate that nobody known has issued",
        ],
        TlsFlaw::NoRecordMet => [
            "の証明書は、TLSA レコード（DANE）と一致しません。",
            "shows a certificate that no TLSA record (DANE) names",
        ],
        TlsFlaw::NotInPolicy => [
            "は、宛先のドメインの MTA-STS ポリシーに挙げられていません（MX のどれも）。",
            "is not named by its domain's policy (MTA-STS), nor is any other of its MX",
        ],
        TlsFlaw::NotMade => [
            "と、必要な TLS を確立できません。",
            "could not be spoken to over the TLS that it must",
        ],
        TlsFlaw::NoAuthority => [
            "の証明書を確認するための認証局が、当サーバーに設定されていません。",
            "must prove itself by a certificate, and this house knows no authority that could",
        ],
    };
    let [end_ja, end_en] = match is_over {
        true => [
            "期限までそのままだったため、送信していません。",
            "until the time was over: it was not sent",
        ],
        false => ["安全に届けられないため、再送を待っています。", "it will be tried again"],
    };
    let [who_ja, who_en] = who;
    let link = if is_over { ", " } else { ": " };
    [format!("{who_ja}{ja}{end_ja}"), format!("{who_en} {en}{link}{end_en}")]
}

/// The status code that the destination answered (RFC 3463), if it did.
pub fn status(why: Why) -> Option<String> {
    match why {
        Why::Answered { class, subject, detail } | Why::TurnedAway { class, subject, detail } => {
            Some(format!("{class}.{subject}.{detail}"))
        }
        Why::Unproven => Some("5.7.30".to_owned()),
        _ => None,
    }
}

fn unproven() -> [String; 2] {
    let (japanese, english) = notice::say(notice::Reason::Unproven);
    [
        format!("届けられませんでした（5.7.30）。{japanese}"),
        format!("it could not be delivered (5.7.30). {english}"),
    ]
}

/// Where a leg that is not over stands.
pub fn stands(state: State, why: Option<Why>, is_stopped: bool) -> [String; 2] {
    let [japanese, english] = match (state, why) {
        (State::Leaving, _) if is_stopped => under_way(),
        (State::Held, Some(Why::MaybeTaken)) => [
            "保留中です。保留した時点ですでに引き渡している最中だったため、届いている可能性が\
             あります。",
            "it is held; it was being handed over when it was, and the destination may have it",
        ],
        (State::Held, _) => ["保留中です。", "it is held"],
        (State::Leaving, _) => ["送信中です。", "it is on its way"],
        (_, Some(why)) => return waits_for(why),
        (_, None) => ["まもなく送信します。", "it leaves in a moment"],
    };
    [japanese.to_owned(), english.to_owned()]
}

/// Held or cancelled when it was being handed over already.
pub fn under_way() -> [&'static str; 2] {
    [
        "すでに宛先へ引き渡している最中のものがあり、それは届く可能性があります。\
         結果は `queue show ID` で確認してください。",
        "some of it is being handed over at this moment, and may still go: `queue show ID` tells \
         what became of it",
    ]
}

/// How a leg ended: for those who got it, or why the others did not.
pub fn ended(state: State, why: Option<Why>, is_cancelled: bool) -> [String; 2] {
    let [japanese, english] = match (state, why) {
        (State::Sent, _) if is_cancelled => [
            "宛先が受け取りました。取り消しの時点ですでに引き渡し中か、送信済みでした。",
            "the destination has taken it: it was under way, or had left, when it was cancelled",
        ],
        (State::Sent, _) => ["宛先が受け取りました。", "the destination has taken it"],
        (State::Cancelled, Some(Why::MaybeTaken)) => [
            "取り消しましたが、すでに引き渡している最中でした。引き渡しがどうなったかは\
             分かりません。届いている可能性があります。",
            "it was cancelled while it was being handed over, and nobody lived to say how that \
             ended: the destination may have it",
        ],
        (State::Cancelled, _) => {
            ["取り消されたため、送信していません。", "it was cancelled and not sent"]
        }
        (
            _,
            Some(
                Why::Answered { class, subject, detail }
                | Why::TurnedAway { class, subject, detail },
            ),
        ) => return refused((class, subject, detail)),
        (_, Some(Why::Unreachable)) => [
            "期限までに宛先のサーバーへ接続できませんでした。",
            "the destination could not be reached before the time was over",
        ],
        (_, Some(Why::MaybeTaken)) => [
            "宛先のサーバーは本文を最後まで受け取りましたが、期限まで一度も応答しませんでした\
             （4.4.2）。すでに届いている可能性があります。",
            "the destination's server had all of the mail, and never answered until the time was \
             over (4.4.2): it may have taken it",
        ],
        (_, Some(Why::Ours)) => [
            "こちらの障害（鍵、証跡など）が期限まで続いたため、送信できませんでした。",
            "something of our own (keys, evidence) was away until the time was over",
        ],
        (_, Some(Why::NoResolver)) => [
            "当サーバーの DNS リゾルバーが期限まで応答しなかったため、送信できませんでした。",
            "no resolver of this house answered until the time was over",
        ],
        (_, Some(Why::Unsafe)) => [
            "宛先に必要な TLS または証明書を期限まで確認できなかったため、送信していません。",
            "the destination never showed the TLS and certificate that it must: it was not sent",
        ],
        (_, Some(Why::Insecure { flaw, is_named })) => return insecure(flaw, is_named, true),
        (_, Some(Why::Unproven)) => return unproven(),
        (_, Some(Why::NoWayIn(WayIn::NotOffered))) => [
            "認証情報が設定されていますが、スマートホストが認証（AUTH）を受け付けないまま、\
             期限が過ぎました。",
            "a sign-in is set, and the smart host let nobody sign in until the time was over",
        ],
        (_, Some(Why::NoWayIn(WayIn::NoneOfOurs))) => [
            "スマートホストの認証方式に、当サーバーが対応しているもの（PLAIN・LOGIN）がないまま、\
             期限が過ぎました。",
            "the smart host offered no way to sign in that this house speaks (PLAIN, LOGIN) until \
             the time was over",
        ],
        (_, Some(Why::NoWayIn(WayIn::NotNow))) => [
            "スマートホストの認証が使えないまま、期限が過ぎました。",
            "the smart host could not take our sign-in until the time was over",
        ],
        (_, Some(Why::NotSignedIn)) => [
            "スマートホストが認証情報を受け付けないまま、期限が過ぎました。",
            "the smart host did not accept our sign-in until the time was over",
        ],
        (_, None) => ["理由は記録されていません。", "the reason was not written down"],
    };
    [japanese.to_owned(), english.to_owned()]
}

/// What became of a list's post. Its owners hear of those whom it did not reach, its author does
/// not (RFC 3461 §5.2.7).
pub fn members(members: Members) -> [String; 2] {
    let Members { sent, waiting, not_sent } = members;
    [
        format!(
            "メーリングリストの会員への配信: 送信済み {sent} 人、送信待ち {waiting} 人、\
             届かない {not_sent} 人。届かなかった会員はリストの管理者に知らせます\
             （差出人には通知しません）。会員ごとの件数と理由は `list show` で確認できます。"
        ),
        format!(
            "a mailing list: {sent} of its members were sent it, {waiting} wait for it, {not_sent} \
             will not get it; of those its owners hear, not the author (`list show` tells who and \
             why)"
        ),
    ]
}

fn refused(status: (u8, u16, u16)) -> [String; 2] {
    let (class, subject, detail) = status;
    let reason = match status {
        (4, 4, 2) => notice::Reason::HungUp,
        (4, 4, 3) => notice::Reason::NoNames,
        (4, 5, 0) => notice::Reason::Nonsense,
        _ => notice::reason(Some(status), ""),
    };
    let (japanese, english) = notice::say(reason);
    let code = format!("{class}.{subject}.{detail}");
    match class {
        4 => [
            format!("期限まで受け取られませんでした（{code}）。{japanese}"),
            format!("it was not taken before the time was over ({code}). {english}"),
        ],
        _ => [
            format!("届けられませんでした（{code}）。{japanese}"),
            format!("it could not be delivered ({code}). {english}"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::{ended, stands};
    use wire::post::{State, TlsFlaw, WayIn, Why};

    #[test]
    fn every_end_is_told_in_both_languages() {
        let answered = |class| Why::Answered { class, subject: 1, detail: 1 };
        let whys =
            [answered(4), answered(5), Why::Unreachable, Why::Ours, Why::Unsafe, Why::NoResolver];
        let named = [true, false].into_iter();
        let insecure = named.flat_map(|is_named| {
            TlsFlaw::ALL.into_iter().map(move |flaw| Why::Insecure { flaw, is_named })
        });
        let no_way_in = WayIn::ALL.into_iter().map(Why::NoWayIn);
        let whys = whys.into_iter().chain([Why::NotSignedIn, Why::MaybeTaken, Why::Unproven]);
        let whys = whys.chain(insecure).chain(no_way_in).map(Some).chain([None]);
        let states = [State::Sent, State::Failed, State::Cancelled];
        for (why, is_stopped) in whys.flat_map(|why| [(why, false), (why, true)]) {
            let living = [State::Held, State::Ready, State::Leaving, State::Delayed];
            let told = states.iter().map(|state| ended(*state, why, is_stopped));
            for [japanese, english] in
                told.chain(living.iter().map(|state| stands(*state, why, is_stopped)))
            {
                assert!(japanese.chars().any(|one| one > '\u{3000}'), "{japanese}");
                assert!(english.is_ascii() && !english.is_empty(), "{english}");
            }
        }
        let [_, english] = ended(State::Sent, None, true);
        assert!(english.contains("has taken it"), "{english}");
        let [_, english] = stands(State::Leaving, None, true);
        assert!(english.contains("may still go"), "{english}");
        // Whose DNS it is; a loop is one; and what expired says why.
        let status = |class, subject, detail| Some(Why::Answered { class, subject, detail });
        let [japanese, english] = stands(State::Delayed, status(4, 4, 3), false);
        assert!(english.contains("destination's own DNS") && japanese.contains("宛先のドメインの"));
        // A server that hung up was reached, and answered nothing; behind the text it may have it.
        let [japanese, english] = stands(State::Delayed, status(4, 4, 2), false);
        assert!(english.contains("was reached") && japanese.contains("つながりましたが"));
        assert!(!english.contains("answered") && !japanese.contains("応答しました"));
        for [japanese, english] in [
            stands(State::Delayed, Some(Why::MaybeTaken), false),
            ended(State::Failed, Some(Why::MaybeTaken), false),
        ] {
            assert!(english.contains("may have taken it") && japanese.contains("可能性"));
        }
        // No MX and no address: it does not exist, which is not to be out of reach.
        let [japanese, english] = ended(State::Failed, status(5, 4, 4), false);
        assert!(english.contains("The domain does not exist") && japanese.contains("存在しない"));
        let [japanese, english] = ended(State::Failed, status(4, 4, 3), false);
        assert!(english.contains("The DNS of the domain") && japanese.contains("期限まで"));
        let [japanese, english] = ended(State::Failed, status(5, 4, 6), false);
        assert!(english.contains("a loop") && japanese.contains("ループ"));
        let [_, english] = ended(State::Failed, status(5, 7, 10), false);
        assert!(english.contains("(TLS) that is required"), "{english}");
        let [japanese, english] = ended(State::Failed, Some(answered(5)), false);
        assert!(english.contains("5.1.1") && english.contains("Nobody has this address."));
        assert!(japanese.contains("5.1.1") && japanese.contains("利用者がいません"));
    }
}
