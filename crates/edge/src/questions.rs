//! The scanner's questions to the DNS: few, short, and made of what stands in the message.
//!
//! Whoever owns a scanner has no other way out of the house than these names. So each label of a
//! name must be known from elsewhere: the message's header, the envelope, or an earlier answer. A
//! handful may be made up, because labels are spelled anew on the way (A-labels, SPF macros).

use crate::arrival::Received;
use crate::neighbours::Neighbours;
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use wire::names::{Answer, Outcome, Question, Record, Security};

/// Questions of one message that leave for `names`. Mail with three signatures, a long SPF record
/// and a chain of ARC needs about forty; RFC 7208 §4.6.4 allows ten terms.
const QUESTIONS: usize = 64;
/// All questions, those answered from memory too.
const ALL_QUESTIONS: usize = 200;
/// Time that all questions of a message may take; later ones are answered "failed".
const TIME: Duration = Duration::from_secs(20);
/// Labels that stand nowhere, each counted once: a domain in another script is spelled anew.
const STRANGE: usize = 4;
/// Where a message's header is looked for.
const HEADER_BYTES: u64 = 64 * 1024;
/// Labels of the protocols themselves.
const WORDS: &[&str] = &["_dmarc", "_domainkey", "in-addr", "ip6", "arpa"];

/// What a message's examination has asked of the DNS so far.
#[derive(Default)]
pub(crate) struct Questions {
    asked: usize,
    left_the_house: usize,
    strange: usize,
    time: Duration,
    /// Words of the header and the envelope, made when a question leaves for the first time.
    known: Option<HashSet<Vec<u8>>>,
    /// Texts of answers, whose words count too.
    heard: Vec<Vec<u8>>,
}

impl Questions {
    pub(crate) fn put(
        &mut self,
        house: &mut Neighbours,
        received: &Received,
        question: &Question,
    ) -> Answer {
        self.asked += 1;
        if self.asked > ALL_QUESTIONS {
            return failed();
        }
        let answer = match house.answer_at_hand(question) {
            Some(answer) => answer,
            None if !self.may_leave(received, &question.name) => return failed(),
            None => {
                let begin = Instant::now();
                let answer = house.resolve(question);
                self.time += begin.elapsed();
                answer
            }
        };
        self.hear(&answer);
        answer
    }

    fn may_leave(&mut self, received: &Received, name: &str) -> bool {
        self.left_the_house += 1;
        if self.left_the_house > QUESTIONS || self.time > TIME {
            return false;
        }
        let known = self.known.get_or_insert_with(|| words_of(received));
        for text in self.heard.drain(..) {
            add_words(known, &text);
        }
        let labels = name.split('.').map(str::to_ascii_lowercase);
        let mut strange: Vec<Vec<u8>> = labels
            .filter(|label| !WORDS.contains(&label.as_str()) && !known.contains(label.as_bytes()))
            .map(String::into_bytes)
            .collect();
        strange.dedup();
        if self.strange + strange.len() > STRANGE {
            return false;
        }
        self.strange += strange.len();
        known.extend(strange);
        true
    }

    fn hear(&mut self, answer: &Answer) {
        if let Outcome::Records(records) = &answer.outcome {
            self.heard.extend(records.iter().filter_map(text_of));
        }
    }
}

fn failed() -> Answer {
    Answer { outcome: Outcome::Failed, security: Security::Insecure, ttl_seconds: 0 }
}

fn words_of(received: &Received) -> HashSet<Vec<u8>> {
    let offered = &received.offered;
    let mut known = HashSet::new();
    add_words(&mut known, header_of(&received.text.head(HEADER_BYTES)));
    add_words(&mut known, offered.helo.as_bytes());
    add_words(&mut known, received.from().as_bytes());
    // For reversed names and SPF macros.
    match offered.client_ip {
        IpAddr::V4(four) => add_words(&mut known, four.to_string().as_bytes()),
        IpAddr::V6(_) => known.extend((0..16).map(|digit| format!("{digit:x}").into_bytes())),
    }
    known
}

/// Up to the first empty line: what stands in a body is nobody's name, and a long one has thousands
/// of words.
fn header_of(head: &[u8]) -> &[u8] {
    let end = match head.starts_with(b"\r\n") {
        true => Some(0),
        false => head.windows(4).position(|four| four == b"\r\n\r\n"),
    };
    head.get(..end.unwrap_or(head.len())).unwrap_or_default()
}

/// Runs of letters, digits, `-` and `_`, in lower case.
fn add_words(known: &mut HashSet<Vec<u8>>, text: &[u8]) {
    let is_part = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let words = text.split(|octet| !is_part(octet)).filter(|word| !word.is_empty());
    known.extend(words.map(<[u8]>::to_ascii_lowercase));
}

fn text_of(record: &Record) -> Option<Vec<u8>> {
    match record {
        Record::Txt(text) => Some(text.clone()),
        Record::Mx { host, .. } => Some(host.clone().into_bytes()),
        Record::Ptr(name) => Some(name.clone().into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{QUESTIONS, Questions, STRANGE};
    use crate::arrival::{Offered, Received, Terms};
    use flight::Text;
    use terms::MessageId;

    fn received(text: &str) -> Received {
        let mut held = Text::new();
        held.push(text.as_bytes()).unwrap();
        let offered = Offered {
            client_ip: "192.0.2.25".parse().unwrap(),
            helo: "mail.sender.example".to_owned(),
            protocol: "ESMTP",
            tls: None,
            from: smtp::Address::parse("bounce@out.sender.example"),
            terms: Terms::default(),
            addressees: Vec::new(),
        };
        Received { offered, text: held, id: MessageId([1; 16]), at_ms: 0 }
    }

    const TEXT: &str = "DKIM-Signature: v=1; d=list.example; s=Key-1; b=aaaa\r\n\
        From: Carol <carol@shop.example>\r\n\r\nlook at body.example\r\n";

    #[test]
    fn names_are_made_of_what_stands_in_the_message() {
        let received = received(TEXT);
        for name in [
            "out.sender.example",
            "mail.sender.example",
            "key-1._domainkey.list.example",
            "_dmarc.shop.example",
            "_dmarc.example",
            "25.2.0.192.in-addr.arpa",
        ] {
            let mut questions = Questions { strange: STRANGE, ..Questions::default() };
            assert!(questions.may_leave(&received, name), "{name}");
        }
        for name in [
            "secret-word.shop.example",
            "shop.evil.test",
            "other._domainkey.list.example",
            "body.example",
        ] {
            let mut questions = Questions { strange: STRANGE, ..Questions::default() };
            assert!(!questions.may_leave(&received, name), "{name}");
        }
    }

    #[test]
    fn a_handful_may_be_spelled_anew_and_all_are_counted() {
        let received = received(TEXT);
        let mut questions = Questions::default();
        let strange = (0..100).filter(|n| questions.may_leave(&received, &format!("x{n}.test")));
        assert_eq!(strange.count(), STRANGE - 1, "`test` is one too");
        let mut questions = Questions::default();
        let asked = (0..1_000).filter(|_| questions.may_leave(&received, "shop.example"));
        assert_eq!(asked.count(), QUESTIONS);
    }

    #[test]
    fn a_message_without_a_header_lends_no_words() {
        let check = |text: &str, header: &str| {
            assert_eq!(super::header_of(text.as_bytes()), header.as_bytes(), "{text:?}");
        };
        check("\r\nbody.example\r\n\r\n", "");
        check("Subject: a\r\n\r\nbody.example", "Subject: a");
        check("Subject: a\r\n b\r\n", "Subject: a\r\n b\r\n");
        check("", "");
    }

    #[test]
    fn an_answer_s_words_count() {
        let received = received(TEXT);
        let mut questions = Questions { strange: STRANGE, ..Questions::default() };
        questions.heard.push(b"v=spf1 include:_spf.mailer.test -all".to_vec());
        assert!(questions.may_leave(&received, "_spf.mailer.test"));
    }
}
