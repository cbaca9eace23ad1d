//! Words by which mail systems say why. Most specific first: the first line that has one decides.

use crate::Reason;

/// The table: a reason and the words (lower case) that speak for it.
#[rustfmt::skip]
const CLUES: &[(Reason, &[&str])] = &[
    (Reason::Virus, &["virus", "malware", "infected", "ウイルス", "ウィルス"]),
    (Reason::Expired, &["envelope expired", "aborted after", "delivery time expired", "retry time not reached for any host after", "retry timeout exceeded",
        "message expired", "has expired", "been in the queue too long", "could not be delivered for", "delivery expired",
        "unable to deliver message after multiple retries", "maximum queue lifetime", "not been collected",
        "gave up", "giving up", "it has not been collected after", "配信期限", "期間内に配信"]),
    (Reason::NotYet, &["greylist", "graylist", "grey-list", "gray-list", "grey list", "グレイリスト", "グレーリスト"]),
    (Reason::Authentication, &["dmarc", "spf fail", "spf check", "fail spf", "failed spf", "sender policy framework", "spf:", "spf record",
        "dkim", "unauthenticated email", "not authenticated", "authentication checks", "authentication required", "domain authentication", "is not authorized to send", "not permitted to send"]),
    (Reason::MailboxFull, &["mailbox full", "mailbox is full", "over quota", "overquota", "quota exceeded", "exceeded storage",
        "exceeds quota", "exceeds allowed size", "disk quota", "mailbox size limit", "storage limit", "quota", "inbox is full", "mailfolder is full", "mailbox has exceeded",
        "full mailbox", "too much mail", "容量", "メールボックスがいっぱい"]),
    (Reason::Suspended, &["account disabled", "account is disabled", "account has been disabled", "mailbox disabled", "mailbox is disabled",
        "suspended", "inactive", "account is locked", "deactivated", "not active", "temporarily disabled", "mailbox unavailable or access denied", "account expired",
        "has been disabled", "account that you tried to reach is disabled", "discontinued", "利用停止", "停止され"]),
    (Reason::HasMoved, &["has moved", "user moved", "has been replaced by", "address has changed", "no longer at", "moved to"]),
    (Reason::TooLarge, &["message too large", "too large", "too big", "size exceeds", "message size", "exceeds size limit", "maximum message size",
        "exceeded max", "size limit", "larger than", "サイズが大き", "サイズ制限"]),
    (Reason::NeedsTls, &["must issue a starttls", "tls required", "requires tls", "encryption required", "starttls is required", "cannot start tls", "tls is required"]),
    (Reason::TooFast, &["rate limit", "too many connections", "too many messages", "too many recipients", "throttl", "too fast", "deferred due to",
        "unusual rate", "rate that", "exceeded the maximum number of", "daily sending limit", "slow down", "too quickly", "server busy", "server is busy", "too busy", "try again later, too", "concurrent", "limit exceeded", "sending limit"]),
    // Lists of hosts, some of which have "spam" in their names.
    (Reason::Blocked, &["spamhaus", "spamcop", "dnsbl", "blocked using", "barracudacentral"]),
    (Reason::Spam, &["spam", "unsolicited", "junk", "bulk mail", "likely unwanted", "considered unwanted", "looks like uce", "迷惑メール"]),
    (Reason::RelayRefused, &["relaying denied", "relay access denied", "relay denied", "relay not permitted", "unable to relay", "relaying not allowed", "not allowed to relay",
        "we do not relay", "relaying prohibited", "no relaying", "relaying is prohibited", "rejected by relay", "not a gateway", "must authenticate", "smtp authentication", "relay operation rejected"]),
    (Reason::SenderRefused, &["sender address rejected", "sender rejected", "sender denied", "sender is not", "unroutable sender", "unverifiable sending", "unrouteable sender", "invalid sender", "unknown sender", "bad sender", "domain of sender address", "sender domain",
        "from address", "you are not allowed to send", "sender verify failed", "envelope sender", "return-path"]),
    (Reason::HostUnknown, &["host unknown", "host not found", "domain not found", "no such domain", "unknown host", "unrouteable address", "unrouteable mail domain", "unroutable mail domain", "unrouteable domain", "name service error",
        "couldn't find any host", "no such host", "domain does not exist", "illegal host/domain", "recipient address rejected: unknown recipient domain", "host or domain name not found", "bad destination system", "name server: .: host not found",
        "dns error", "nullmx", "null mx", "does not accept mail", "domain name not found", "no mx", "mx lookup", "non-existent domain", "invalid domain", "dns query", "recipient domain"]),
    (Reason::UserUnknown, &["user unknown", "unknown user", "mailbox is unavailable", "email account that you tried to reach", "tried to contact", "no such user", "user not found", "no such recipient", "recipient unknown", "unknown recipient", "recipient not found", "recipnotfound", "not a known user", "no such mailbox", "mailbox not found", "unknown mailbox",
        "mailbox unavailable", "does not exist", "doesn't exist", "not exist", "no mailbox", "invalid recipient", "invalid mailbox", "invalid address", "address unknown", "unknown address", "address rejected", "recipient rejected", "account not found", "account unknown", "unknown account", "unknown local", "unknown or illegal",
        "not listed in", "not found in", "isn't listed", "not a valid", "no such person", "is not a recipient", "bad destination mailbox", "user doesn't have a", "doesn't have an account", "doesn't have a yahoo", "no account", "this user", "user invalid", "invalid user", "no such address", "undeliverable address",
        "recipient no longer", "not our customer", "delivery to the following recipients failed permanently", "destination addresses were unknown", "mailbox does", "unknown destination", "user is unknown", "unknown e-mail", "not a mailbox", "sorry, no mailbox", "wasn't found at", "couldn't be found", "may not exist", "見つかりません", "recipient address reserved",
        "cannot find", "can't find", "宛先が見つかりません", "宛先不明", "存在しません", "見つかりませんでした", "ユーザーが不明", "送信先のメールアドレスが見つかりません", "あて先"]),
    (Reason::Blocked, &["blocked", "blacklist", "black list", "blocklist", "block list", "denylist", "deny list", "rbl", "dnsbl", "spamhaus", "spamcop", "barracuda", "reputation", "client host", "ip address", "your ip", "your host", "your network", "invalid ip for sending", "access denied", "connection refused by", "connection dropped",
        "poor reputation", "reverse dns", "ptr record", "no ptr", "rdns", "cannot find your", "helo", "banned", "not accepting mail from", "service refused", "connection rejected", "go away", "message refused by"]),
    (Reason::Filtered, &["filter", "rejected by the domain", "recipient has blocked", "not accepting", "does not accept", "refused by recipient", "user reject", "does not want", "restricted", "受信拒否", "because the recipient", "due to user settings"]),
    (Reason::NeedsUtf8, &["smtputf8", "non-ascii address", "internationalized address", "internationalised address"]),
    (Reason::NeedsEightBits, &["8bitmime"]),
    (Reason::Content, &["content", "attachment", "malformed", "header", "mime", "bare lf", "bare newline", "line length", "line too long", "non-ascii", "8bit", "charset"]),
    (Reason::Unreachable, &["connection refused", "connection timed out", "timed out", "timeout", "no route to host", "network is unreachable", "connect to", "couldn't connect", "could not connect", "unable to connect", "connection lost", "lost connection", "connection failed", "host is down", "all hosts have been failing", "all relevant mx records", "failed to send to identified host", "connection reset", "no smtp connection", "not reachable", "unreachable", "bad connection", "cannot connect", "not connect", "mail server not responding", "did not respond", "no answer from host", "deferred: ", "接続"]),
    (Reason::System, &["too many hops", "mail loop", "loop detected", "loops back", "loop", "hop count", "local configuration error", "system error", "internal error", "protocol violation", "could not find a gateway", "insufficient system", "disk full", "no space", "unexpected", "cannot create", "i/o error", "can't open", "cannot open", "temporary failure", "temporarily unavailable", "service unavailable", "currently unavailable", "could not load", "unavailable", "server error", "mailer error", "process died", "exec", "aliasing", "configured", "not available", "local error"]),
    (Reason::Policy, &["policy", "not allowed", "denied", "rejected", "prohibited", "refused", "forbidden", "not authorized", "unacceptable", "declined", "拒否"]),
];

/// The first reason in the table's order that a word speaks for. Of an answer that is final none
/// says that it is not.
pub fn by_words(words: &str, is_final: bool) -> Option<Reason> {
    #[cfg(test)]
    crate::READ.set(crate::READ.get() + words.len());
    let speaks = |clues: &[&str]| clues.iter().any(|clue| words.contains(clue));
    let is_allowed = |reason: Reason| !is_final || reason != Reason::NotYet;
    let found = CLUES.iter().find(|(reason, clues)| is_allowed(*reason) && speaks(clues));
    found.map(|(reason, _)| *reason)
}
