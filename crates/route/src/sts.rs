//! MTA-STS (RFC 8461): what a domain demands of TLS, by a policy that is fetched over HTTPS.

/// RFC 8461 §3.2 sets no limit; policies are some hundred octets.
const POLICY_BYTES: usize = 64 * 1024;
const PATTERNS: usize = 100;
/// RFC 8461 §3.2: at most a year.
const AGE_SECONDS: u32 = 31_557_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Enforce,
    Testing,
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sts {
    pub mode: Mode,
    /// `mail.example.jp` or `*.example.jp`.
    pub patterns: Vec<String>,
    pub age_seconds: u32,
}

/// Reads the policy file. `None`: it is none, and then it does not count (§3.3).
pub fn parse(octets: &[u8]) -> Option<Sts> {
    let text = std::str::from_utf8(octets.get(..POLICY_BYTES).unwrap_or(octets)).ok()?;
    let (mut version, mut mode, mut age) = (false, None, None);
    let mut patterns = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim() {
            "version" => version |= value == "STSv1",
            // The first of each counts (§3.2).
            "mode" if mode.is_none() => {
                mode = Some(match value {
                    "enforce" => Mode::Enforce,
                    "testing" => Mode::Testing,
                    "none" => Mode::None,
                    _ => return None,
                });
            }
            "max_age" if age.is_none() => age = Some(value.parse::<u32>().ok()?.min(AGE_SECONDS)),
            "mx" if patterns.len() < PATTERNS => patterns.push(value.to_lowercase()),
            _ => {}
        }
    }
    let (mode, age_seconds) = (mode?, age?);
    let is_whole = version && (mode == Mode::None || !patterns.is_empty());
    is_whole.then_some(Sts { mode, patterns, age_seconds })
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl Sts {
    /// Its lines, as a report shows them (RFC 8460 §4.4).
    pub fn lines(&self) -> Vec<String> {
        let head = ["version: STSv1".to_owned(), format!("mode: {}", self.mode.word())];
        let hosts = self.patterns.iter().map(|pattern| format!("mx: {pattern}"));
        let age = format!("max_age: {}", self.age_seconds);
        head.into_iter().chain([age]).chain(hosts).collect()
    }

    /// Whether the policy names this host (§4.1: a star stands for one label, the leftmost).
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_lowercase();
        self.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
            None => *pattern == host,
        })
    }
}

/// The id in the TXT records of `_mta-sts.` (§3.1). `None`: no policy, or two, which is none.
pub fn policy_id(records: &[Vec<u8>]) -> Option<String> {
    let mut found = records.iter().filter_map(|record| {
        let text = std::str::from_utf8(record).ok()?;
        let mut fields = text.split(';').map(str::trim);
        (fields.next()? == "v=STSv1").then_some(fields)
    });
    let mut fields = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let id = fields.find_map(|field| field.strip_prefix("id="))?.trim();
    let is_id =
        (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Mode, parse, policy_id};

    #[test]
    fn policies() {
        let good = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.jp\r\nmx: *.Example.NET\r\n\
                    max_age: 604800\r\n";
        let policy = parse(good.as_bytes()).unwrap();
        assert_eq!((policy.mode, policy.age_seconds), (Mode::Enforce, 604_800));
        let check = |host: &str, named: bool| assert_eq!(policy.names(host), named, "{host}");
        check("mail.example.jp", true);
        check("MAIL.example.jp.", true);
        check("a.example.net", true);
        check("a.b.example.net", false);
        check("example.net", false);
        check(".example.net", false);
        check("mail.example.jp.evil.example", false);
        let none = |text: &str| assert_eq!(parse(text.as_bytes()), None, "{text}");
        none("");
        none("mode: enforce\nmx: a\nmax_age: 1");
        none("version: STSv1\nmode: strict\nmx: a\nmax_age: 1");
        none("version: STSv1\nmode: enforce\nmax_age: 1");
        none("version: STSv1\nmode: enforce\nmx: a\nmax_age: x");
        assert!(parse(b"version: STSv1\nmode: none\nmax_age: 99999999").is_some());
        // What it is shown as is read as what it is.
        assert_eq!(parse(policy.lines().join("\n").as_bytes()), Some(policy));
    }

    #[test]
    fn ids() {
        let check = |records: &[&str], id: Option<&str>| {
            let records: Vec<Vec<u8>> =
                records.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(policy_id(&records).as_deref(), id, "{records:?}");
        };
        check(&["v=STSv1; id=20261129T1;"], Some("20261129T1"));
        check(&["v=spf1 -all", "v=STSv1;id=1"], Some("1"));
        check(&["v=STSv1; id=1", "v=STSv1; id=2"], None);
        check(&["v=STSv1;"], None);
        check(&["v=STSv1; id=a b"], None);
        check(&[], None);
    }
}
