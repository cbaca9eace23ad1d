//! The day on which mail came in is the day where the house stands.

use super::house::{Demo, Wishes};
use super::letters::letter;
use super::post::deliver;
use super::reader::Reader;
use std::process::Command;

const AOI: &str = "aoi@example.jp";

/// A letter comes, and one is put there by its owner without a date.
fn two_come(demo: &Demo, subject: &str) {
    let reply = deliver(&demo.port("smtp"), &[AOI], &letter(subject, "hello\r\n"));
    assert_eq!(reply.code, 250, "{reply:?}");
    let kept = Reader::sign_in(demo, AOI).append("INBOX", "", &letter(subject, "own\r\n"));
    assert!(kept.is_ok(), "{}", kept.text());
}

/// The day by the clock on the wall there: `05-Feb-2026`.
fn day(zone: &str) -> String {
    let date = Command::new("date").arg("+%d-%b-%Y").env("TZ", zone).env("LC_ALL", "C").output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn mail_comes_in_on_the_day_of_the_house() {
    // One of the two is a day away from UTC at any hour but noon, and both from one another.
    let zones = ["JST-14", "EST12"];
    let mut wishes = Wishes::new("dates");
    wishes.through = vec!["env".to_owned(), format!("TZ={}", zones[0])];
    let mut demo = Demo::start(wishes);
    let mut days = vec![day(zones[0])];
    two_come(&demo, "in the east");
    // What has come keeps its zone, wherever the house goes.
    demo.wishes.through = vec!["env".to_owned(), format!("TZ={}", zones[1])];
    let demo = demo.again();
    days.push(day(zones[1]));
    two_come(&demo, "in the west");
    let mut inbox = Reader::inbox(&demo, AOI);
    let told = inbox.must("FETCH 1:* INTERNALDATE").text();
    let ends: Vec<&str> = told.lines().filter_map(|line| line.split(' ').nth(6)).collect();
    assert_eq!(ends, ["+1400\")", "+1400\")", "-1200\")", "-1200\")"], "{told}");
    if days != [day(zones[0]), day(zones[1])] {
        return; // midnight has passed, there or there
    }
    for (day, found) in days.iter().zip(["1 2", "3 4"]) {
        assert!(told.contains(day.as_str()), "{day} {told}");
        let answer = inbox.must(&format!("SEARCH ON {day}")).text();
        assert!(answer.starts_with(&format!("* SEARCH {found}\r\n")), "{day} {answer}");
    }
}
