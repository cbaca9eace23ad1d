//! The demo's little internet: who exists in its DNS, and who signs.

use super::Ports;
use super::accounts::DOMAINS;
use aws_lc_rs::signature::Ed25519KeyPair;
use hkdf::Hkdf;
use mailauth::{Signer, SigningKey};
use sha2::Sha256;
use wire::pages::{LABELS, TransportPolicy};
use wire::reports::REPORTS_TO;
use zone::{RecordWord, Zones};

/// Our own name, as the demo's DNS knows it.
pub const HOST_NAME: &str = "mx.sekisho.localhost";
/// The name of the public pages; browsers take whatever ends in `localhost` for this machine.
pub const PAGES_NAME: &str = "pages.localhost";
const SELECTOR: &str = "demo";
const SIGNING: &[&str] = &["sender.example", "letters.example"];

/// The sample senders' keys, derived so that a restart signs with the same ones.
pub struct Senders {
    keys: Vec<(&'static str, Ed25519KeyPair)>,
}

impl Senders {
    pub fn new(credential: &[u8]) -> Self {
        let derive = Hkdf::<Sha256>::new(None, credential);
        let keys = SIGNING.iter().filter_map(|domain| {
            let mut seed = [0u8; 32];
            derive.expand(format!("demo sender {domain}").as_bytes(), &mut seed).ok()?;
            Some((*domain, Ed25519KeyPair::from_seed_unchecked(&seed).ok()?))
        });
        Self { keys: keys.collect() }
    }

    /// The message with the domain's signature on top.
    pub fn sign(&self, domain: &str, octets: &[u8], now_seconds: u64) -> Vec<u8> {
        let Some((domain, key)) = self.keys.iter().find(|(known, _)| *known == domain) else {
            return octets.to_vec();
        };
        let key = SigningKey::Ed25519(key);
        let signer = Signer { domain, selector: SELECTOR, key, now: now_seconds };
        let mut signed = signer.sign(octets).unwrap_or_default().into_bytes();
        signed.extend_from_slice(octets);
        signed
    }

    /// The zones: our own domains, honest senders, one bank that is imitated, one stranger.
    pub fn zones(&self) -> Result<String, zone::Fault> {
        Ok(self.table()?.to_toml())
    }

    /// The same, and what exists only once the house stands: the keys by which mail of our own
    /// domains is signed (a name and its text), and where mail programs find us.
    pub fn zones_with(
        &self,
        keys: &[(String, String)],
        ports: Ports,
    ) -> Result<String, zone::Fault> {
        use RecordWord::{Srv, Txt};
        let mut zones = self.table()?;
        for (name, text) in keys {
            zones.add(name, Txt, text)?;
        }
        let services = [
            ("_submissions", 0, ports.submissions()),
            ("_submission", 10, ports.submission()),
            ("_imaps", 0, ports.imaps()),
            ("_pop3s", 10, ports.pop3s()),
        ];
        for (_, domain) in DOMAINS {
            for (service, priority, at) in services {
                let lead = format!("{priority} 1 {} {HOST_NAME}", at.port());
                zones.add(&format!("{service}._tcp.{domain}"), Srv, &lead)?;
            }
            for none in ["_imap", "_pop3"] {
                zones.add(&format!("{none}._tcp.{domain}"), Srv, "0 0 0 .")?;
            }
            let wanted = format!("v=TLSRPTv1; rua=mailto:{REPORTS_TO}@{domain}");
            zones.add(&format!("_smtp._tls.{domain}"), Txt, &wanted)?;
        }
        Ok(zones.to_toml())
    }

    fn table(&self) -> Result<Zones, zone::Fault> {
        use RecordWord::{A, Mx, Ptr, Txt};
        let mut zones = Zones::default();
        zones.add(HOST_NAME, A, "127.0.0.1")?;
        zones.add("1.0.0.127.in-addr.arpa", Ptr, "localhost")?;
        zones.add("1.0.0.127.in-addr.arpa", Ptr, HOST_NAME)?;
        for (_, domain) in DOMAINS {
            zones.add(domain, Mx, &format!("10 {HOST_NAME}"))?;
            zones.add(domain, Txt, &format!("v=spf1 a:{HOST_NAME} -all"))?;
            zones.add(&format!("_dmarc.{domain}"), Txt, "v=DMARC1; p=reject")?;
            let id = TransportPolicy::default().id(HOST_NAME);
            zones.add(&format!("_mta-sts.{domain}"), Txt, &format!("v=STSv1; id={id};"))?;
            for label in LABELS {
                zones.add(&format!("{label}.{domain}"), A, "127.0.0.1")?;
            }
        }
        zones.add(PAGES_NAME, A, "127.0.0.1")?;
        for domain in SIGNING {
            zones.add(domain, A, "127.0.0.1")?;
            zones.add(domain, Mx, &format!("10 {domain}"))?;
            zones.add(domain, Txt, "v=spf1 ip4:127.0.0.0/8 ip6:::1 -all")?;
            zones.add(&format!("_dmarc.{domain}"), Txt, "v=DMARC1; p=quarantine")?;
        }
        for (domain, key) in &self.keys {
            if let Ok(record) = SigningKey::Ed25519(key).record() {
                zones.add(&format!("{SELECTOR}._domainkey.{domain}"), Txt, &record)?;
            }
        }
        zones.add("outside.example", Mx, "10 mx.outside.example")?;
        zones.add("*.outside.example", Mx, "10 mx.outside.example")?;
        zones.add("mx.outside.example", A, "127.0.0.1")?;
        // Of one host alone, so that it can be as bad as a case wants and the others are not.
        zones.add("dead.outside.example", Mx, "10 mx.dead.outside.example")?;
        zones.add("mx.dead.outside.example", A, "127.0.0.99")?;
        // One that wants to hear how TLS with it fares.
        zones.add("reports.outside.example", Mx, "10 mx.outside.example")?;
        let wanted = "v=TLSRPTv1; rua=mailto:tls@reports.outside.example";
        zones.add("_smtp._tls.reports.outside.example", Txt, wanted)?;
        // And one that takes reports by HTTPS alone.
        zones.add("web.outside.example", Mx, "10 mx.outside.example")?;
        let wanted = "v=TLSRPTv1; rua=https://collector.outside.example/tls?for=web";
        zones.add("_smtp._tls.web.outside.example", Txt, wanted)?;
        zones.add("collector.outside.example", A, "127.0.0.1")?;
        zones.add("mail.sender.example", A, "127.0.0.1")?;
        zones.add("mail.sender.example", Txt, "v=spf1 a ip6:::1 -all")?;
        zones.add("aoba-bank.example", Txt, "v=spf1 ip4:192.0.2.10 -all")?;
        zones.add("_dmarc.aoba-bank.example", Txt, "v=DMARC1; p=quarantine")?;
        zones.add("unknown.example", A, "192.0.2.66")?;
        Ok(zones)
    }
}
