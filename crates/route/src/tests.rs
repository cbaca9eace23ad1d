//! Whatever octets come: nothing upsets the readers.

use crate::{Report, Tlsa, matches, parse_sts, policy_id, public_key_info, report_addresses};

#[test]
fn fuzz_records_are_read_or_refused() {
    let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
    let seeds: [&[u8]; 5] = [
        br#"{"organization-name":"a","date-range":{"start-datetime":"2026-11-28T00:00:00Z",
            "end-datetime":"2026-11-28T23:59:59+09:00"},"report-id":"r","policies":[{"policy":{
            "policy-type":"sts","policy-domain":"b","mx-host":"c"},"summary":{
            "total-successful-session-count":1,"total-failure-session-count":2},
            "failure-details":[{"result-type":"x","failed-session-count":2}]}]}"#,
        b"version: STSv1\r\nmode: enforce\r\nmx: *.example.jp\r\nmax_age: 604800\r\n",
        b"v=TLSRPTv1; rua=mailto:a@b.example,https://b.example/x",
        b"v=STSv1; id=20261129;",
        &[0x30, 9, 0x30, 7, 0x02, 1, 1, 0x30, 0, 0x30, 0],
    ];
    for seed in 1..20_000 * factor {
        let mut state = seed;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut octets = seeds[random(5)].to_vec();
        for _ in 0..random(8) {
            let at = random(octets.len());
            octets[at] = random(256) as u8;
        }
        if let Some(policy) = parse_sts(&octets) {
            assert!(policy.patterns.len() <= 100 && policy.age_seconds <= 31_557_600);
        }
        let records = [octets.clone()];
        let _ = (policy_id(&records), report_addresses(&records));
        if let Some(report) = Report::read(&octets) {
            assert!(report.seconds().is_none_or(|(first, last)| first <= last));
        }
        let record = Tlsa { usage: 3, selector: 1, matching: 0, data: octets.clone() };
        let _ = (public_key_info(&octets), matches(&record, &[&octets]));
    }
}
