//! MTA-STS policies, TLS reports, certificates as DANE looks at them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(policy) = route::parse_sts(octets) {
        assert!(policy.patterns.len() <= 100);
    }
    let records = [octets.to_vec()];
    let _ = (route::policy_id(&records), route::report_addresses(&records));
    if let Some(report) = route::Report::read(octets) {
        assert_eq!(route::Report::read(&report.write()), Some(report));
    }
    if let Some(key) = route::public_key_info(octets) {
        assert!(key.len() < octets.len());
    }
});
