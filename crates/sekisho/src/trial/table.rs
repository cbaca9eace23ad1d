//! A drill's findings as a calm table.

use super::verdict::Findings;
use crate::demo::screen::{Tone, heading, tinted};
use drill::Got;

impl Findings {
    pub fn show(&self) {
        let mut last = "";
        for cell in &self.cells {
            if cell.kind.word() != last {
                last = cell.kind.word();
                heading(last);
            }
            let tone = match cell.got {
                Got::Nothing => Tone::Good,
                Got::Bounded => Tone::Watch,
                Got::Everything => Tone::Stopped,
            };
            let alarm = cell.alarm_ms.map_or("—".to_owned(), |ms| format!("{ms} ms"));
            let scope = cell.likeness.map_or(String::new(), |likeness| {
                format!("  scope {:.2}/{:.2}", likeness.precision, likeness.recall)
            });
            println!(
                "  {:18} {:21} {:2} off charter, alarm {:6}  {}{}",
                cell.asset.word(),
                tinted(tone, &format!("{:10}", cell.got.word())),
                cell.attempted,
                alarm,
                tinted(Tone::Quiet, &cell.what),
                scope,
            );
        }
        println!();
        for (kind, replaced) in &self.replaced {
            let how =
                if *replaced { "ended at its first call, and replaced" } else { "NOT replaced" };
            println!("  {:10} {how}", kind.word());
        }
        for absent in &self.absent {
            println!("  absent     {absent}");
        }
        for broken in &self.broken {
            println!("  {}", tinted(Tone::Stopped, broken));
        }
        let words = if self.held() { "every denial held" } else { "a denial did NOT hold" };
        println!("\n  {} alarms; {words}", self.alarms.len());
    }
}
