//! What is publicly known of the breach that we answer, with its sources. Written down, not
//! measured.

use serde_json::{Value, json};

/// The operator's second report and its copies; the ministry's guidance; the reporter's account.
const SECOND_REPORT: &str = "IIJ, second report, 2025-04-22 (ascii.jp 4264938)";
const FIRST_REPORT: &str = "IIJ, first report, 2025-04-15";
const MINISTRY: &str = "MIC, 2025-07-18 (soumu.go.jp 01kiban18_01000259)";
const PRESS: &str = "Nikkei, 2025-04 (note.dev1x.org/tech/item/6530)";
const RECORD: &str = "CVE-2025-42599 (JVN#22348866)";

pub fn known() -> Value {
    json!({
        "from": "2024-08-03",
        "discovered": "2025-04-10",
        "to": "2025-04-17",
        "days_unnoticed": 250,
        "way_in": "CVE-2025-42599",
        "contracts_feared": 6_493,
        "accounts_feared": 4_072_650,
        "contracts": 586,
        "contracts_accounts": 132,
        "accounts": 311_288,
        "contracts_mail": 6,
        "contracts_cloud": 488,
        "days_to_extent": 12,
        "sources": {
            "entry": RECORD,
            "tools": PRESS,
            "files": SECOND_REPORT,
            "neighbours": PRESS,
            "reading": SECOND_REPORT,
            "elsewhere": SECOND_REPORT,
            "left": SECOND_REPORT,
            "noticed": MINISTRY,
            "extent": FIRST_REPORT,
        },
    })
}
