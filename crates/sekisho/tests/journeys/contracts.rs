//! Two persons decide; a contract ends and leaves nothing; people see who touched their data.

use super::house::{Demo, binary, plainly, signal, within};
use super::leaving;
use super::post::{Sender, deliver};
use super::reader::Reader;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// A command whose standard input is a password; its value and exit code.
fn typed(demo: &Demo, words: &[&str], password: &str) -> (Value, i32) {
    let mut command = Command::new(binary());
    command.args(words).args(["--json", "--data"]).arg(&demo.wishes.data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // A command that refuses at once reads nothing.
    let _ = stdin.write_all(format!("{password}\n").as_bytes());
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (serde_json::from_str(&text).unwrap(), output.status.code().unwrap())
}

fn password(demo: &Demo, address: &str) -> String {
    let accounts = demo.ready["accounts"].as_array().unwrap();
    let found = accounts.iter().find(|account| account["address"] == address).unwrap();
    found["password"].as_str().unwrap().to_owned()
}

fn answer(demo: &Demo, act: &str, request: &str, address: &str) -> (Value, i32) {
    typed(demo, &["approval", act, request, "--as", address], &password(demo, address))
}

/// Asks, has two agree, and carries out.
pub fn approved(demo: &Demo, words: &[&str]) -> Value {
    let (asked, code) = demo.ask(&[words, &["--reason", "契約の終わり"]].concat());
    assert_eq!((code, asked["needs"].as_u64()), (1, Some(2)), "{words:?}: {asked}");
    let request = asked["request"].as_str().unwrap();
    for who in ["mina@example.jp", "rei@example.jp"] {
        let (value, code) = answer(demo, "approve", request, who);
        assert_eq!(code, 0, "{value}");
    }
    let (done, code) = demo.ask(&["approval", "carry-out", request]);
    assert_eq!(code, 0, "{done}");
    done
}

/// Less may leave at once, more when two agree; what they agree to is shown to them.
fn limits_of_what_leaves(demo: &Demo) {
    let set = ["tenant", "set", "Example Japan"];
    let less = ["--send-in-a-day", "500", "--send-delay", "60", "--refuse-kind", "exe"];
    let (value, code) = demo.ask(&[&set[..], &less].concat());
    assert_eq!((code, value["sending"]["in_a_day"].as_u64()), (0, Some(500)), "{value}");
    let more = [&set[..], &["--smart-host", "relay.example:465:implicit"]].concat();
    let (asked, code) = demo.ask(&[&more[..], &["--reason", "契約の終わり"]].concat());
    assert_eq!((code, asked["what"].as_str()), (1, Some("tenant.sending")), "{asked}");
    assert_eq!(asked["details"]["smart_host"]["host"], "relay.example", "{asked}");
    let done = approved(demo, &more);
    assert_eq!(done["sending"]["smart_host"]["tls"], "implicit", "{done}");
    let (shown, _) = demo.ask(&["tenant", "show", "Example Japan"]);
    assert_eq!(shown["sending"]["delay_seconds"], 60, "{shown}");
    assert_eq!(shown["sending"]["refused_kinds"][0], "exe", "{shown}");
    let (value, code) = demo.ask(&[&set[..], &["--no-smart-host"]].concat());
    assert!(code == 0 && value["sending"]["smart_host"].is_null(), "{value}");
}

/// Nobody has a person's mail go elsewhere alone; they hear of it where they were, and see it on
/// record. To take it back is nobody else's business.
fn where_mail_goes(demo: &Demo) {
    let forward = ["user", "forward", "aoi@example.jp"];
    let out = [&forward[..], &["--to", "elsewhere@outside.example"]].concat();
    let (refused, code) = demo.ask(&out);
    assert_eq!(code, 1, "without a reason: {refused}");
    assert!(demo.ask(&forward).0["to"].as_array().unwrap().is_empty(), "nothing was done");
    let done = approved(demo, &out);
    assert_eq!(done["to"][0], "elsewhere@outside.example", "{done}");
    assert!(demo.ask(&[&forward[..], &["--none"]].concat()).1 == 0);
    let (seen, _) = demo.ask(&["touched", "--person", "aoi@example.jp", "--lang", "en"]);
    let items = seen["items"].as_array().unwrap().iter();
    let words: Vec<_> = items.filter(|item| item["entry"]["what"] == "user.forward").collect();
    // Asked for, begun as approved, ordered, done, and taken back.
    assert_eq!(words.len(), 5, "{words:?}");
    let accounts = demo.ready["accounts"].as_array().unwrap();
    let aoi = accounts.iter().find(|account| account["address"] == "aoi@example.jp").unwrap();
    let mut reader =
        Reader::connect(demo.ready["imaps"].as_str().unwrap(), &demo.authority()).unwrap();
    reader.must(&format!("LOGIN aoi@example.jp {}", aoi["app_password"].as_str().unwrap()));
    within(PATIENCE, "a letter about it", || {
        reader.must("EXAMINE INBOX");
        let found = reader.must("SEARCH SUBJECT \"Your mail is being forwarded\"").text();
        let mut lines = found.lines();
        lines.any(|line| line.starts_with("* SEARCH") && line.split_whitespace().count() > 2)
    });
}

/// What two agree upon is the gateway with its list: who is on it is let in afterwards.
fn a_gateway_with_its_list(demo: &Demo) {
    let domain = "gateway.example";
    assert_eq!(demo.ask(&["domain", "add", domain, "--tenant", "Example Japan"]).1, 0);
    let list = demo.data().with_file_name("recipients");
    std::fs::write(&list, format!("a@{domain}\nb@{domain}\n")).unwrap();
    let list = list.display().to_string();
    let host = "127.0.0.1:587:if-offered";
    let set = ["domain", "gateway", domain, "--host", host, "--recipients", &list];
    let (asked, code) = demo.ask(&[&set[..], &["--reason", "契約の終わり"]].concat());
    assert_eq!((code, asked["details"]["recipients"].as_u64()), (1, Some(2)), "{asked}");
    assert!(demo.ask(&["domain", "gateway", domain]).0["gateway"].is_null(), "not yet");
    let done = approved(demo, &set);
    assert_eq!(done["recipients"], 2, "{done}");
    let addressed = |who: &str| {
        let mut sender = Sender::greeted(&demo.port("smtp"));
        assert_eq!(sender.say("MAIL FROM:<carol@sender.example>").code, 250);
        sender.say(&format!("RCPT TO:<{who}@{domain}>")).code
    };
    assert_eq!((addressed("a"), addressed("b"), addressed("nobody")), (250, 250, 550));
    // Another list was told since: what was asked for is not done with that one.
    let other = ["domain", "gateway", domain, "--host", "127.0.0.1:465:if-offered"];
    let other = [&other[..], &["--recipients", &list, "--reason", "契約の終わり"]].concat();
    let (asked, _) = demo.ask(&other);
    let request = asked["request"].as_str().unwrap().to_owned();
    // People read what they agree to in their own language, and of how many it is.
    let data = demo.data().to_str().unwrap();
    let again = [&other[..], &["--data", data]].concat();
    for (language, words) in [("ja", "一覧にある 2 件の宛先だけ"), ("en", "for the 2 recipients")]
    {
        let (told, _, _) = plainly(&again, language);
        let said = told.lines().find(|line| line.starts_with("in_words "));
        assert!(said.is_some_and(|line| line.contains(words)), "{told}");
    }
    std::fs::write(&list, format!("c@{domain}\n")).unwrap();
    assert_eq!(demo.ask(&other).1, 1, "another request");
    for who in ["mina@example.jp", "rei@example.jp"] {
        assert_eq!(answer(demo, "approve", &request, who).1, 0);
    }
    let (refused, code) = demo.ask(&["approval", "carry-out", &request]);
    assert_eq!(code, 1, "{refused}");
    assert!(refused["error"].as_str().is_some_and(|it| it.contains("the list of 2")), "{refused}");
    assert_eq!(addressed("a"), 250);
    // To open it to every name is for two, and ends the list.
    let any = ["domain", "gateway", domain, "--recipients", "any"];
    assert_eq!(demo.ask(&any).1, 1, "without a reason");
    assert_eq!(approved(demo, &any)["recipients"], Value::Null);
    within(PATIENCE, "every name", || addressed("nobody") == 250);
    assert_eq!(demo.ask(&["domain", "gateway", domain, "--none"]).1, 0);
}

/// Whoever comes to have what was others' address gets what is still written to them.
fn addresses_given_anew(demo: &Demo) {
    let address = "team-of-old@example.jp";
    let add = ["group", "add", address, "--tenant", "Example Japan", "--member"];
    assert_eq!(demo.ask(&[&add[..], &["aoi@example.jp"]].concat()).1, 0);
    assert_eq!(demo.ask(&["group", "remove", address]).1, 0);
    let spy = ["user", "add", address, "--tenant", "Example Japan"];
    let (refused, code) = demo.ask(&spy);
    assert_eq!(code, 1, "without a reason: {refused}");
    let made = approved(demo, &spy);
    assert_eq!(made["address"], address, "{made}");
    let list = "talk@example.jp";
    let add = ["list", "add", list, "--tenant", "Example Japan", "--owner", "aoi@example.jp"];
    assert_eq!(demo.ask(&add).1, 0);
    let member = |who| ["list", "member", "add", list, who];
    assert_eq!(demo.ask(&member("aoi@example.jp")).1, 0, "the first");
    assert_eq!(demo.ask(&member("haru@example.jp")).1, 1, "without a reason");
    assert_eq!(approved(demo, &member("haru@example.jp"))["members"], 2);
}

#[test]
fn mail_for_nobody_reaches_the_catch_all() {
    let demo = Demo::fresh("catch-all");
    let smtp = demo.port("smtp");
    let letter = |to: &str| {
        let text = format!(
            "From: a@sender.example\r\nTo: {to}\r\nSubject: x\r\n\
             Message-ID: <{to}>\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\nhi\r\n"
        );
        deliver(&smtp, &[to], text.as_bytes()).code
    };
    assert_eq!(letter("before@example.jp"), 550);
    let set = ["domain", "set", "example.jp", "--catch-all"];
    let (value, code) = demo.ask(&[&set[..], &["haru@example.jp"]].concat());
    assert_eq!((code, value["catch_all"].as_str()), (0, Some("haru@example.jp")), "{value}");
    assert_eq!(demo.ask(&[&set[..], &["alice@example.net"]].concat()).1, 1, "another tenant's");
    assert_eq!(letter("made-up@example.jp"), 250);
    let (traced, _) = demo.ask(&["trace", "made-up@example.jp"]);
    assert_eq!(traced["items"][0]["recipients"][0], "haru@example.jp", "{traced}");
    let (listed, _) = demo.ask(&["domain", "list"]);
    let domains = listed["items"].as_array().unwrap();
    let ours = domains.iter().find(|one| one["domain"] == "example.jp").unwrap();
    assert_eq!(ours["catch_all"], "haru@example.jp", "{listed}");
    assert_eq!(demo.ask(&[&set[..], &["none"]].concat()).1, 0);
    assert_eq!(letter("after@example.jp"), 550);
    let entries = demo.entries();
    let changes = entries.iter().filter(|entry| entry["what"] == "domain.catch-all");
    let changes: Vec<_> = changes.map(|entry| entry["weakened"].as_str()).collect();
    // What one operator ordered alone, what was done, and that it was taken back.
    assert_eq!(changes, [Some("single-operator"), None, None]);
}

#[test]
fn two_persons_decide() {
    let demo = Demo::fresh("two");
    let (before, _) = demo.ask(&["tenant", "show", "Example Japan"]);
    assert_eq!(before["weakened"], "single-operator");
    let (mode, code) = demo.ask(&["approval", "mode", "two-persons"]);
    assert_eq!((code, mode["mode"].as_str()), (0, Some("two-persons")), "{mode}");
    let add = ["app-password", "add", "aoi@example.jp", "--protocol", "imap"];
    let (refused, code) = demo.ask(&add);
    assert_eq!(code, 1, "without a reason: {refused}");
    let (asked, code) = demo.ask(&[&add[..], &["--reason", "新しい端末"]].concat());
    assert_eq!((code, asked["needs"].as_u64()), (1, Some(2)), "{asked}");
    let request = asked["request"].as_str().unwrap().to_owned();
    let (_, code) = demo.ask(&["approval", "carry-out", &request]);
    assert_eq!(code, 1);
    let (value, code) =
        typed(&demo, &["approval", "approve", &request, "--as", "mina@example.jp"], "wrong");
    assert_eq!(code, 1, "{value}");
    assert_eq!(answer(&demo, "approve", &request, "mina@example.jp").1, 0);
    assert_eq!(answer(&demo, "approve", &request, "mina@example.jp").1, 1, "twice the same");
    assert_eq!(answer(&demo, "approve", &request, "haru@example.jp").1, 1, "no approver");
    assert_eq!(answer(&demo, "approve", &request, "sato@example.jp").1, 0);
    let (made, code) = demo.ask(&["approval", "carry-out", &request]);
    assert_eq!(code, 0, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let mut reader =
        Reader::connect(demo.ready["imaps"].as_str().unwrap(), &demo.authority()).unwrap();
    reader.must(&format!("LOGIN aoi@example.jp {secret}"));
    assert_eq!(demo.ask(&["approval", "carry-out", &request]).1, 1, "once");
    // One's own needs nobody else.
    let own = [&add[..], &["--as", "aoi@example.jp"]].concat();
    let (own, code) = typed(&demo, &own, &password(&demo, "aoi@example.jp"));
    assert_eq!(code, 0, "{own}");
    assert_eq!(own["weakened"], "first-password", "whoever made that one knows it");
    // What two are asked for is said in words, with names.
    let seal = ["keys", "seal", "--tenant", "Example Net", "--reason", "未払い"];
    let (asked, code) = demo.ask(&seal);
    assert_eq!(code, 1, "{asked}");
    let words = ["approval", "show", asked["request"].as_str().unwrap()];
    let (shown, _) = demo.ask(&words);
    assert_eq!(shown["in_words"]["ja"].as_str().unwrap().split(' ').next(), Some("Example"));
    let words = [&words[..], &["--data", demo.data().to_str().unwrap()]].concat();
    let (said, _, code) = plainly(&words, "en_GB.UTF-8");
    assert_eq!(code, 0);
    assert!(said.contains("the keys of Example Net are sealed"), "{said}");
    // Weaker rules wait, stronger ones do not.
    let (value, code) =
        demo.ask(&["tenant", "set", "Example Japan", "--junk-from", "9", "--reason", "試す"]);
    assert_eq!(code, 1, "{value}");
    let (value, code) = demo.ask(&["tenant", "set", "Example Japan", "--junk-from", "5"]);
    assert_eq!((code, value["settings"]["junk_from"].as_f64()), (0, Some(5.0)), "{value}");
    let words: Vec<Value> = demo.entries().iter().map(|entry| entry["entry"].clone()).collect();
    for word in ["approval.request", "approve", "approval.carry-out"] {
        assert!(words.iter().any(|entry| entry == word), "{word}");
    }
    // Whose data it is sees all of it, with proofs.
    let (seen, code) = demo.ask(&["touched", "--person", "aoi@example.jp", "--lang", "ja"]);
    assert_eq!(code, 0, "{seen}");
    assert_eq!(seen["reasons"][&request], "新しい端末");
    let items = seen["items"].as_array().unwrap();
    let told = |word: &str| items.iter().filter(|item| item["entry"]["entry"] == word).count();
    assert_eq!((told("approve"), told("approval.carry-out")), (2, 1));
    assert!(items.iter().all(|item| item["mark"].is_string()), "{seen}");
    let asked = items.iter().find(|item| item["entry"]["request"] == request.as_str()).unwrap();
    assert_eq!((asked["mark"].as_str(), asked["end"].as_str()), (Some("asked"), Some("done")));
    assert!(told("sign-in") >= 1);
    assert_eq!(seen["cosigned"], true);
    limits_of_what_leaves(&demo);
    where_mail_goes(&demo);
    a_gateway_with_its_list(&demo);
    addresses_given_anew(&demo);
    // The end of a person's part waits for two, and then for its grace.
    let ending = approved(&demo, &["user", "terminate", "haru@example.jp", "--grace", "30d"]);
    assert_eq!(ending["state"], "grace", "{ending}");
    let (value, code) = demo.ask(&["user", "cancel", "haru@example.jp"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("active")), "{value}");
    // Somebody else's reading is told as such, with the request it stands under.
    let to = demo.wishes.data.parent().unwrap().join("export");
    let imaps = demo.ready["imaps"].as_str().unwrap();
    let words = ["export", "--person", "haru@example.jp", "--imaps", imaps, "--to"];
    let words = [&words[..], &[to.to_str().unwrap()]].concat();
    let (asked, code) = demo.ask(&[&words[..], &["--reason", "監査"]].concat());
    assert_eq!(code, 1, "{asked}");
    let request = asked["request"].as_str().unwrap();
    for who in ["mina@example.jp", "rei@example.jp"] {
        assert_eq!(answer(&demo, "approve", request, who).1, 0);
    }
    // Where nothing can be read, no approval is used up.
    let (away, code) = demo.ask(&[&words[..], &["--host-name", "wrong.example"]].concat());
    assert_eq!(code, 3, "{away}");
    let (exported, code) = demo.ask(&words);
    assert_eq!(code, 0, "{exported}");
    let (seen, _) = demo.ask(&["touched", "--person", "haru@example.jp", "--lang", "en"]);
    let uses = seen["items"].as_array().unwrap().iter().filter(|item| {
        item["entry"]["entry"] == "credential.use" && item["entry"]["name"] == request
    });
    assert_eq!(uses.count(), 1, "{seen}");
    // The mode outlives a restart whose start-up says otherwise.
    let demo = demo.again();
    let (mode, _) = demo.ask(&["approval", "mode"]);
    assert_eq!(mode["mode"], "two-persons");
}

/// Neither by shutting out who decides, nor by putting others in their place, nor by making a
/// newcomer's password again.
#[test]
fn nobody_undoes_two_persons_alone() {
    let demo = Demo::fresh("undone");
    assert_eq!(demo.ask(&["approval", "mode", "two-persons"]).1, 0);
    let because = |words: &[&str]| demo.ask(&[words, &["--reason", "契約の終わり"]].concat());
    let are_left = |address: &str| {
        let (refused, code) = because(&["user", "disable", address]);
        let error = refused["error"].as_str().unwrap_or_default();
        assert!(code == 1 && error.contains("two persons who may approve"), "{refused}");
    };
    are_left("mina@example.jp");
    are_left("rei@example.jp");
    let (refused, code) =
        demo.ask(&["user", "disable", "mina@example.jp", "--reason", "ok\u{1b}[1A"]);
    assert_eq!(code, 1, "{refused}");
    let add = |address: &'static str, tenant: &'static str, role: &'static str| {
        ["user", "add", address, "--tenant", tenant, "--role", role]
    };
    let (asked, code) = because(&add("kei@example.jp", "Example Japan", "approver"));
    assert_eq!((code, asked["needs"].as_u64()), (1, Some(2)), "{asked}");
    let request = asked["request"].as_str().unwrap();
    assert_eq!(answer(&demo, "approve", request, "sato@example.jp").1, 1, "it is for the house");
    approved(&demo, &add("kei@example.jp", "Example Japan", "approver"));
    let done = approved(&demo, &["user", "disable", "kei@example.jp"]);
    assert_eq!(done["disabled"], true, "{done}");
    are_left("mina@example.jp");
    let (back, code) = because(&["user", "enable", "kei@example.jp"]);
    assert_eq!((code, back["needs"].as_u64()), (1, Some(2)), "{back}");
    let (judge, code) = because(&add("op@example.net", "Example Net", "operator"));
    let told = judge["in_words"]["en"].as_str().unwrap_or_default();
    assert!(code == 1 && told.contains("for the whole house"), "{judge}");
    let open = demo.ask(&["approval", "list", "--state", "open"]).0;
    assert_eq!(open["items"].as_array().map(Vec::len), Some(2), "{open}");
    // Mail may wait for somebody who never came.
    let (new, code) = demo.ask(&["user", "add", "new@example.jp", "--tenant", "Example Japan"]);
    assert_eq!(code, 0, "{new}");
    let (asked, code) = because(&["user", "reset", "new@example.jp"]);
    assert_eq!((code, asked["needs"].as_u64()), (1, Some(2)), "{asked}");
    let add = ["app-password", "add", "new@example.jp", "--protocol", "imap"];
    let own = [&add[..], &["--as", "new@example.jp"]].concat();
    let (made, code) = typed(&demo, &own, new["password"].as_str().unwrap());
    assert_eq!((code, made["weakened"].as_str()), (0, Some("first-password")), "{made}");
    let (seen, _) = demo.ask(&["touched", "--person", "new@example.jp", "--lang", "en"]);
    let items = seen["items"].as_array().unwrap().iter();
    let told: Vec<&str> = items.filter_map(|item| item["told"].as_str()).collect();
    assert!(told.iter().any(|line| line.contains("by the first password")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("shown to its maker")), "{told:?}");
}

/// Who was destroyed is neither made anew nor missed.
#[test]
fn the_demo_comes_up_with_who_is_still_there() {
    let demo = Demo::fresh("still-there");
    assert_eq!(demo.ask(&["user", "terminate", "bob@example.net", "--grace", "0"]).1, 0);
    within(PATIENCE, "destroyed", || {
        demo.ask(&["tenant", "endings"]).0["items"][0]["state"] == "destroyed"
    });
    assert_eq!(demo.ask(&["approval", "mode", "two-persons"]).1, 0);
    let demo = demo.again();
    let shown: Vec<&str> = demo.ready["accounts"].as_array().unwrap().iter().map(address).collect();
    assert!(shown.contains(&"alice@example.net") && !shown.contains(&"bob@example.net"));
    let (people, _) = demo.ask(&["user", "list", "--tenant", "Example Net"]);
    let known: Vec<&str> = people["items"].as_array().unwrap().iter().map(address).collect();
    assert!(known.contains(&"alice@example.net") && !known.contains(&"bob@example.net"));
    assert!(!demo.account("alice@example.net").imap.is_empty());
}

fn address(item: &Value) -> &str {
    item["address"].as_str().unwrap()
}

#[test]
fn a_contract_ends_and_leaves_nothing() {
    let mut demo = Demo::fresh("ends");
    let letter = |to: &str| {
        format!(
            "From: Carol <carol@sender.example>\r\nTo: {to}\r\nSubject: Marker-Aubergine\r\n\
             Message-ID: <{to}.marker@sender.example>\r\n\r\nThe plaintext is Okonomiyaki-1547.\r\n"
        )
    };
    for to in ["alice@example.net", "bob@example.net", "aoi@example.jp"] {
        assert_eq!(
            deliver(demo.ready["smtp"].as_str().unwrap(), &[to], letter(to).as_bytes()).code,
            250
        );
    }
    // What she wrote waits for a host that is busy: it must not outlive the contract.
    let written = leaving::letter("alice@example.net", "busy@outside.example", "waits", "");
    let mut writing = leaving::signed_in(&demo, "alice@example.net");
    let reply = writing.letter("alice@example.net", &["busy@outside.example"], &written);
    assert_eq!(reply.unwrap().code, 250);
    drop(writing);
    let waiting = || demo.ask(&["queue", "list"]).0["items"].as_array().map_or(0, Vec::len);
    within(PATIENCE, "a letter that waits", || waiting() == 1);
    let mut alice = Reader::inbox(&demo, "alice@example.net");
    assert_eq!(alice.whole("INBOX").len(), 1);
    alice.must("CREATE \"&istsQmb4-\"");
    alice.must("COPY 1 \"&istsQmb4-\"");
    drop(alice);
    // Exported first, through passes and recorded releases.
    let to = demo.wishes.data.parent().unwrap().join("export");
    let words = ["export", "--tenant", "Example Net", "--to", to.to_str().unwrap(), "--imaps"];
    let (exported, code) =
        demo.ask(&[&words[..], &[demo.ready["imaps"].as_str().unwrap()]].concat());
    assert_eq!(code, 0, "{exported}");
    let one = to.join("alice@example.net/INBOX/000001.eml");
    assert!(std::fs::read_to_string(one).unwrap().contains("Okonomiyaki-1547"));
    let name = "請求書";
    assert!(to.join("alice@example.net").join(name).join("000001.eml").exists(), "{name}");
    // For a case, which they are told; the case is named, and asked for by nothing else.
    let to = demo.wishes.data.parent().unwrap().join("case");
    let words = ["export", "--person", "bob@example.net", "--case", "2026-17", "--imaps"];
    let words = [&words[..], &[demo.ready["imaps"].as_str().unwrap(), "--to"]].concat();
    let (read, code) = demo.ask(&[&words[..], &[to.to_str().unwrap()]].concat());
    assert_eq!((code, &read["purpose"]), (0, &Value::from("case")), "{read}");
    let (seen, _) = demo.ask(&["touched", "--person", "bob@example.net", "--lang", "en"]);
    let is_case =
        |item: &Value| item["entry"]["entry"] == "sign-in" && item["entry"]["protocol"] == "case";
    assert!(seen["items"].as_array().unwrap().iter().any(is_case), "{seen}");
    // Backups of data and keys, taken before.
    let home = demo.wishes.data.parent().unwrap().to_owned();
    let (backup, keys) = (home.join("backup"), home.join("keys"));
    demo.stop();
    let words = ["backup", "--to", backup.to_str().unwrap(), "--keys-to", keys.to_str().unwrap()];
    let (value, code) = demo.ask(&words);
    assert_eq!(code, 0, "{value}");
    for folder in [&backup, &keys] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
    let epoch_key = PathBuf::from(format!("{}.epochs/epoch-1.key", demo.wishes.data.display()));
    let copied = std::fs::read(&epoch_key).unwrap();
    let demo = demo.again();
    let ids = ids(&demo, "Example Net");
    // A hold stops it, and says so.
    let (hold, code) = demo.ask(&["hold", "add", "Example Net", "--reason", "訴訟"]);
    assert_eq!(code, 0, "{hold}");
    let (holds, _) = demo.ask(&["hold", "list"]);
    assert_eq!(holds["items"][0]["tenant"], "Example Net", "{holds}");
    let (begun, code) = demo.ask(&["tenant", "terminate", "Example Net", "--grace", "0"]);
    assert_eq!((code, begun["weakened"].as_str()), (0, Some("single-operator")), "{begun}");
    let state = || {
        let (endings, _) = demo.ask(&["tenant", "endings"]);
        endings["items"][0]["state"].as_str().unwrap_or_default().to_owned()
    };
    within(PATIENCE, "held", || state() == "held");
    assert_eq!(demo.ask(&["tenant", "certificate", "Example Net"]).1, 1);
    let hold = hold["hold"].as_str().unwrap();
    let (lifted, code) = demo.ask(&["hold", "lift", hold]);
    assert_eq!(code, 0, "{lifted}");
    // Killed in the middle, keeper by keeper: it goes on.
    for kind in ["directory", "mailbox", "identity", "vault"] {
        signal(demo.pid_of(kind), rustix::process::Signal::KILL);
        std::thread::sleep(Duration::from_millis(700));
    }
    within(PATIENCE, "it says for whose key it waits", || {
        let (endings, _) = demo.ask(&["tenant", "endings"]);
        let told = endings["items"][0]["waits_for"].as_str().unwrap_or_default();
        told.contains("for the key of backup epoch 1: where no key backup was made")
    });
    within(PATIENCE, "destroyed or waiting for the epoch's key", || {
        let _ = demo.ask(&["keys", "epochs", "end"]);
        state() == "destroyed"
    });
    let paper = home.join("certificate");
    let words = ["tenant", "certificate", "Example Net", "--to", paper.to_str().unwrap()];
    within(PATIENCE, "a cosigned certificate", || demo.ask(&words).1 == 0);
    let page = std::fs::read_to_string(paper.join("certificate.ja.txt")).unwrap();
    assert!(page.contains("データ消去証明書") && page.contains("Example Net"), "{page}");
    let text = std::fs::read_to_string(paper.join("certificate.json")).unwrap();
    let certificate: Value = serde_json::from_str(&text).unwrap();
    // Three people and the decoy.
    assert_eq!(
        (certificate["users"].as_u64(), certificate["cosigned"].as_bool()),
        (Some(4), Some(true))
    );
    assert!(certificate["messages"].as_u64() >= Some(2), "{certificate}");
    is_proven(&certificate["entry"], &certificate);
    is_checked_outside(&demo, &paper.join("certificate.json"), &certificate);
    let (queue, _) = demo.ask(&["queue", "list"]);
    assert_eq!(queue["items"].as_array().map(Vec::len), Some(0), "{queue}");
    // The others read on; the ended have no door and no mail.
    assert_eq!(Reader::inbox(&demo, "aoi@example.jp").whole("INBOX").len(), 1);
    let account = demo.account("alice@example.net");
    assert!(Reader::try_sign_in(&demo, &account).is_err());
    assert_ne!(
        deliver(
            demo.ready["smtp"].as_str().unwrap(),
            &["alice@example.net"],
            letter("x").as_bytes()
        )
        .code,
        250
    );
    // Nothing is found: by the command, and by our own eyes in what lies on the disk.
    let words = ["tenant", "search-remains", "Example Net", "--marker", "Okonomiyaki-1547"];
    let (found, code) = demo.ask(&words);
    assert_eq!(code, 0, "{found}");
    for (file, octets) in files(&demo.wishes.data) {
        let is_evidence = file.contains("/ledger/") || file.contains("/mirror/");
        // The first is the tenant's: the vault lists it as shredded.
        let known = if file.contains("/vault/") { 1 } else { 0 };
        for id in &ids[known..] {
            assert!(is_evidence || !has(&octets, id), "{file}");
        }
        for word in ["Okonomiyaki-1547", "alice@example.net", "Marker-Aubergine"] {
            assert!(!has(&octets, word.as_bytes()), "{word} in {file}");
        }
    }
    // A byte that comes back is found.
    std::fs::write(demo.wishes.data.join("mailbox/stray"), ids[0]).unwrap();
    let (found, code) = demo.ask(&["tenant", "search-remains"]);
    assert_eq!((code, found["found"].as_u64()), (1, Some(1)), "{found}");
    std::fs::remove_file(demo.wishes.data.join("mailbox/stray")).unwrap();
    // So is a destroyed key of backups that somebody puts back, by whoever looks.
    std::fs::write(&epoch_key, copied).unwrap();
    let (found, code) = demo.ask(&["tenant", "search-remains"]);
    assert_eq!((code, found["found"].as_u64()), (1, Some(1)), "{found}");
    assert!(found["places"][0].as_str().unwrap().contains("destroyed backup epoch 1"), "{found}");
    let (epochs, code) = demo.ask(&["keys", "epochs", "list"]);
    assert_eq!((code, epochs["destroyed_and_here"].as_array().unwrap().len()), (1, 1), "{epochs}");
    let (told, _) = demo.ask(&["doctor"]);
    assert!(told["weakened"].to_string().contains("destroyed backup epoch 1"), "{told}");
    within(PATIENCE, "an alarm about it", || {
        demo.ask(&["alarms", "list"]).0.to_string().contains("destroyed backup epoch 1")
    });
    assert_eq!(demo.ask(&["keys", "epochs", "end"]).1, 0);
    assert_eq!(demo.ask(&["keys", "epochs", "list"]).1, 0);
    // The key backup of before does not open any more.
    let again = home.join("again");
    let words = ["restore", "--from", backup.to_str().unwrap(), "--keys-from"];
    let epochs = format!("{}.epochs", demo.wishes.data.display());
    let words = [&words[..], &[keys.to_str().unwrap(), "--epoch-keys", &epochs, "--data"]].concat();
    let words = [&words[..], &[again.to_str().unwrap()]].concat();
    let (value, code) = super::house::command(&words);
    assert_eq!(code, 1, "{value}");
}

/// The opaque ids of a tenant and its people.
fn ids(demo: &Demo, tenant: &str) -> Vec<[u8; 8]> {
    let (shown, _) = demo.ask(&["tenant", "show", tenant]);
    let (people, _) = demo.ask(&["user", "list", "--tenant", tenant]);
    let mut ids = vec![octets(shown["id"].as_str().unwrap())];
    for person in people["items"].as_array().unwrap() {
        ids.push(octets(person["user"].as_str().unwrap()));
    }
    ids
}

fn octets(hex: &str) -> [u8; 8] {
    u64::from_str_radix(hex, 16).unwrap().to_be_bytes()
}

fn has(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    all
}

/// `sekisho-verify`, with the file, the keys and, at its best, a mirror's folder.
fn is_checked_outside(demo: &Demo, file: &Path, certificate: &Value) {
    let check = |file: &Path, more: &[&str]| {
        let words = ["certificate", file.to_str().unwrap(), "--json"];
        let words = words.iter().chain(more).map(|word| (*word).to_owned()).collect();
        let found = verifier::answer(words);
        (serde_json::from_str::<Value>(&found.text).unwrap_or(Value::Null), found)
    };
    let key = |name: &str| certificate[name].as_str().unwrap();
    let keys = ["--ledger-key", key("ledger_key"), "--mirror-key", key("mirror_key")];
    let (found, answer) = check(file, &keys);
    assert_eq!(answer.code, 0, "{}", answer.text);
    assert_eq!(found["certificate"]["contract"], "Example Net");
    let mirror = demo.wishes.data.join("mirror");
    let with_mirror = [&keys[..], &["--mirror", mirror.to_str().unwrap()]].concat();
    let (_, answer) = check(file, &with_mirror);
    assert_eq!(answer.code, 0, "{}", answer.text);
    // Another contract's name, or one message less, is said.
    let altered = file.with_extension("altered");
    for (field, value) in [("contract", Value::from("Example Jp")), ("messages", Value::from(0))] {
        let mut paper = certificate.clone();
        paper[field] = value;
        std::fs::write(&altered, paper.to_string()).unwrap();
        let (found, answer) = check(&altered, &keys);
        assert_eq!(answer.code, 1, "{field}: {}", answer.text);
        assert!(found["problems"].to_string().contains(field), "{found}");
    }
    // What a history leaves out, with its count, the mirror knows.
    let mut paper = certificate.clone();
    let history = paper["history"].as_array_mut().unwrap();
    history.retain(|one| one["entry"]["entry"] != "hold");
    std::fs::write(&altered, paper.to_string()).unwrap();
    assert_eq!(check(&altered, &keys).1.code, 0, "holds that were lifted, unseen");
    let (found, answer) = check(&altered, &with_mirror);
    assert_eq!(answer.code, 1, "{}", answer.text);
    assert!(found["problems"].to_string().contains("leaves out"), "{found}");
}

/// RFC 6962 §2.1.1, by hand: the leaf, its way up, the root that the checkpoint names.
fn is_proven(entry: &Value, beside: &Value) {
    use data_encoding::BASE64;
    let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let hashes: Vec<tlog::Hash> = entry["inclusion"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| tlog::Hash::from_slice(&bytes(hash)).unwrap())
        .collect();
    let root = tlog::Hash::from_slice(&bytes(&beside["root"])).unwrap();
    let leaf = tlog::leaf_hash(&bytes(&entry["leaf"]));
    let (index, size) = (entry["index"].as_u64().unwrap(), beside["size"].as_u64().unwrap());
    assert!(tlog::verify_inclusion(&leaf, index, size, &hashes, &root));
    assert!(beside["checkpoint"].as_str().unwrap().contains(beside["root"].as_str().unwrap()));
}
