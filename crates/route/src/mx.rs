//! The hosts of a destination, in the order in which they are tried.

/// Hosts that one attempt tries: a domain with more has them for load, not for reach.
const HOSTS: usize = 16;

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    pub preference: u16,
    pub host: String,
}

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub preference: u16,
}

/// What the MX records of a domain say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    Try(Vec<Host>),
    /// RFC 7505: it takes no mail, and says so.
    TakesNone,
    /// Only we, or hosts behind us, are left: trying would be a loop (RFC 5321 §5.1).
    OnlyOurselves,
}

/// Orders records. `records` empty: the domain itself is its only host. `random`: a number for
/// each record, so that equal preferences share the load. `ours`: names that are ourselves.
pub fn hosts(domain: &str, records: &[Mx], random: &[u32], ours: &[&str]) -> Hosts {
    if records.is_empty() {
        return Hosts::Try(vec![Host { name: domain.to_lowercase(), preference: 0 }]);
    }
    let is_null = |record: &Mx| record.host.trim_end_matches('.').is_empty();
    if records.len() == 1 && records.iter().all(is_null) {
        return Hosts::TakesNone;
    }
    let mut ordered: Vec<(u16, u32, String)> = records
        .iter()
        .enumerate()
        .filter(|(_, record)| !is_null(record))
        .map(|(place, record)| {
            let name = record.host.trim_end_matches('.').to_lowercase();
            (record.preference, random.get(place).copied().unwrap_or(0), name)
        })
        .collect();
    ordered.sort();
    // We are in the list: only those before us are nearer.
    let is_ours = |name: &str| ours.iter().any(|our| our.eq_ignore_ascii_case(name));
    let own = ordered.iter().filter(|(_, _, name)| is_ours(name)).map(|(at, ..)| *at).min();
    if let Some(own) = own {
        ordered.retain(|(preference, ..)| *preference < own);
        if ordered.is_empty() {
            return Hosts::OnlyOurselves;
        }
    }
    let mut hosts: Vec<Host> = Vec::new();
    for (preference, _, name) in ordered {
        if hosts.len() < HOSTS && hosts.iter().all(|host| host.name != name) {
            hosts.push(Host { name, preference });
        }
    }
    Hosts::Try(hosts)
}

#[cfg(test)]
mod tests {
    use super::{Hosts, Mx, hosts};

    fn names(records: &[(u16, &str)], random: &[u32]) -> Vec<String> {
        let records: Vec<Mx> = records
            .iter()
            .map(|(preference, host)| Mx { preference: *preference, host: (*host).to_owned() })
            .collect();
        match hosts("There.example", &records, random, &["us.example"]) {
            Hosts::Try(hosts) => hosts.into_iter().map(|host| host.name).collect(),
            Hosts::TakesNone => vec!["none".to_owned()],
            Hosts::OnlyOurselves => vec!["ourselves".to_owned()],
        }
    }

    #[test]
    fn hosts_in_their_order() {
        let check = |records: &[(u16, &str)], random: &[u32], expected: &[&str]| {
            assert_eq!(names(records, random), expected, "{records:?}");
        };
        check(&[], &[], &["there.example"]);
        check(&[(0, ".")], &[], &["none"]);
        check(&[(0, "")], &[], &["none"]);
        check(&[(10, "b.x."), (5, "A.x")], &[], &["a.x", "b.x"]);
        check(&[(5, "a.x"), (5, "b.x")], &[9, 1], &["b.x", "a.x"]);
        check(&[(5, "a.x"), (5, "a.x"), (7, "a.x")], &[], &["a.x"]);
        check(&[(5, "a.x"), (10, "us.example"), (20, "c.x")], &[], &["a.x"]);
        check(&[(10, "US.example."), (20, "c.x")], &[], &["ourselves"]);
        check(&[(10, "us.example"), (10, "c.x")], &[], &["ourselves"]);
        check(&[(0, "."), (10, "c.x")], &[], &["c.x"]);
    }
}
