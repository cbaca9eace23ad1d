//! What a remote says it can do (EHLO).

use crate::Answer;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    pub starttls: bool,
    pub pipelining: bool,
    pub eight_bit_mime: bool,
    pub smtputf8: bool,
    pub notices: bool,
    pub require_tls: bool,
    pub enhanced_status: bool,
    pub chunking: bool,
    pub auth_plain: bool,
    pub auth_login: bool,
    /// Ways to sign in that we do not speak.
    pub auth_others: bool,
    /// RFC 1870: 0 or none means "not said".
    pub size: Option<u64>,
    /// RFC 9422.
    pub recipients: Option<u32>,
    pub transactions: Option<u32>,
}

impl Extensions {
    /// Reads the answer to EHLO: the first line is a greeting, each other one a keyword.
    pub fn of(answer: &Answer) -> Self {
        let mut this = Self::default();
        for line in answer.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "STARTTLS" => this.starttls = true,
                "PIPELINING" => this.pipelining = true,
                "8BITMIME" => this.eight_bit_mime = true,
                "SMTPUTF8" => this.smtputf8 = true,
                "DSN" => this.notices = true,
                "REQUIRETLS" => this.require_tls = true,
                "ENHANCEDSTATUSCODES" => this.enhanced_status = true,
                "CHUNKING" => this.chunking = true,
                "AUTH" => words.for_each(|word| this.mechanism(word)),
                "SIZE" => {
                    let size = words.next().and_then(|size| size.parse().ok());
                    this.size = size.filter(|size| *size > 0);
                }
                "LIMITS" => words.for_each(|word| this.limit(word)),
                _ => {}
            }
        }
        this
    }

    fn mechanism(&mut self, word: &str) {
        match word.to_ascii_uppercase().as_str() {
            "PLAIN" => self.auth_plain = true,
            "LOGIN" => self.auth_login = true,
            _ => self.auth_others = true,
        }
    }

    fn limit(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let value = value.parse().ok().filter(|value: &u32| *value > 0);
        match name.to_ascii_uppercase().as_str() {
            "RCPTMAX" => self.recipients = value,
            "MAILMAX" => self.transactions = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Extensions;
    use crate::Answers;

    #[test]
    fn keywords_in_any_case_with_their_values() {
        let mut answers = Answers::default();
        answers.feed(
            b"250-STARTTLS.example greets you\r\n250-size 1000\r\n250-Pipelining\r\n\
              250-AUTH LOGIN plain NTLM\r\n250-LIMITS RCPTMAX=20 MAILMAX=5 X=y\r\n250 8BITMIME\r\n",
        );
        let found = Extensions::of(&answers.next().unwrap().unwrap());
        let expected = Extensions {
            pipelining: true,
            eight_bit_mime: true,
            auth_plain: true,
            auth_login: true,
            auth_others: true,
            size: Some(1_000),
            recipients: Some(20),
            transactions: Some(5),
            ..Extensions::default()
        };
        assert_eq!(found, expected);
    }
}
