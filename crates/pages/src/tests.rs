//! Which page is for which request, without a socket.

use crate::sheet::{POLICY, STYLE};
use crate::site::Site;
use http::{Answer, Ending, Reader, Step};
use wire::control::{Service, Start};
use wire::pages::{
    FromPages, Hosted, Subscription, ToPages, TransportMode, TransportPolicy, held_urls, masked,
    unsubscribe_url,
};

const TOKEN: &[u8] = b"\x01\x02\xfe";
/// A person, a message, a second and a proof, as the directory makes it.
const HELD: &[u8] = &[0xab; 44];

fn start() -> Start {
    Start {
        host_name: "mx.house.example".to_owned(),
        pages_url: "https://pages.house.example:2543".to_owned(),
        ports: vec![
            (Service::Smtp, 25),
            (Service::Imaps, 993),
            (Service::Pop3s, 995),
            (Service::Submissions, 465),
            (Service::Submission, 587),
        ],
        ..Start::default()
    }
}

/// A directory with one domain and one list.
fn directory(asked: &FromPages) -> ToPages {
    match asked {
        FromPages::Domain(name) if name == "kaede.example" || name == "gateway.example" => {
            let reads_elsewhere = name == "gateway.example";
            let transport =
                TransportPolicy { mode: TransportMode::Enforce, max_age_seconds: 604_800 };
            ToPages::Domain(Some(Hosted { transport, reads_elsewhere }))
        }
        FromPages::Domain(name) if name == "slow.example" => ToPages::Later,
        FromPages::Domain(_) => ToPages::Domain(None),
        FromPages::Subscription { token } if token == TOKEN => {
            ToPages::Subscription(Subscription {
                name: "かえで <通信>".to_owned(),
                list: "news@kaede.example".to_owned(),
                member: masked("bob.jones@there.example"),
            })
        }
        FromPages::Subscription { token } if token == b"later" => ToPages::Later,
        FromPages::Unsubscribe { token } if token == TOKEN => ToPages::Done,
        FromPages::Unsubscribe { token } if token == b"later" => ToPages::Later,
        FromPages::Subscription { token } | FromPages::Unsubscribe { token }
            if token == b"over" =>
        {
            ToPages::Over
        }
        FromPages::Subscription { .. } | FromPages::Unsubscribe { .. } => ToPages::Unknown,
        FromPages::Held { token, is_theirs } if token == HELD => match is_theirs {
            true => ToPages::Done,
            false => ToPages::TooLate { more: 0 },
        },
        FromPages::Held { token, is_theirs: false } if token.len() == 3 => {
            ToPages::Discarded { more: u32::from(token[0]) }
        }
        FromPages::Held { token, .. } if token == b"later" => ToPages::Later,
        FromPages::Held { .. } => ToPages::Unknown,
    }
}

/// One request over a connection for its own host, and what the directory was asked.
fn ask(request: &str) -> (Answer, Vec<FromPages>) {
    let mut reader = Reader::default();
    reader.feed(request.as_bytes());
    let Step::Request(request) = reader.next_step() else { panic!("no request: {request}") };
    let mut site = Site::new(&start(), Some(request.host.clone()));
    let mut asked = Vec::new();
    let answer = site.answer(request, &mut |question| {
        asked.push(question.clone());
        directory(question)
    });
    (answer, asked)
}

fn get(host: &str, path: &str) -> Answer {
    ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).0
}

fn post(path: &str, kind: &str, body: &str) -> (Answer, Vec<FromPages>) {
    let length = body.len();
    ask(&format!(
        "POST {path} HTTP/1.1\r\nHost: pages.house.example\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    ))
}

fn body(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

fn leaving() -> String {
    let url = unsubscribe_url("", TOKEN);
    assert_eq!(url, "/unsubscribe/0102fe");
    url
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Its people's programs belong to the customer's own server, and would give it away if they were
/// led here; its policy for senders is ours to publish.
#[test]
fn a_gateway_s_programs_are_not_led_here() {
    let places = [
        ("autoconfig.", "/mail/config-v1.1.xml"),
        ("", "/.well-known/autoconfig/mail/config-v1.1.xml"),
        ("autodiscover.", "/autodiscover/autodiscover.xml"),
    ];
    for (label, path) in places {
        assert_eq!(get(&format!("{label}gateway.example"), path).status, 404, "{label}{path}");
        assert_ne!(get(&format!("{label}kaede.example"), path).status, 404, "{label}{path}");
    }
    let question = "<EMailAddress>aoi@gateway.example</EMailAddress>";
    let (answer, _) = ask(&format!(
        "POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: autodiscover.gateway.example\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    ));
    assert_eq!(answer.status, 404);
    let policy = get("mta-sts.gateway.example", "/.well-known/mta-sts.txt");
    assert!(policy.status == 200 && body(&policy).contains("mx: mx.house.example"));
}

#[test]
fn thunderbird_finds_its_servers_at_both_places() {
    let first = get("autoconfig.kaede.example", "/mail/config-v1.1.xml?emailaddress=a%40b");
    let second = get("kaede.example", "/.well-known/autoconfig/mail/config-v1.1.xml");
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    let xml = body(&first);
    assert!(xml.contains("<domain>kaede.example</domain>"), "{xml}");
    for (kind, port, socket) in [
        ("imap", 993, "SSL"),
        ("pop3", 995, "SSL"),
        ("smtp", 465, "SSL"),
        ("smtp", 587, "STARTTLS"),
    ] {
        let server = format!(
            "Server type=\"{kind}\">\n      <hostname>mx.house.example</hostname>\n      \
             <port>{port}</port>\n      <socketType>{socket}</socketType>"
        );
        assert!(xml.contains(&server), "{server} in {xml}");
    }
    // What is not listened on is not offered.
    let mut site = Site::new(
        &Start { ports: vec![(Service::Imaps, 10993)], ..start() },
        Some("autoconfig.kaede.example".to_owned()),
    );
    let mut reader = Reader::default();
    reader.feed(b"GET /mail/config-v1.1.xml HTTP/1.1\r\nHost: autoconfig.kaede.example\r\n\r\n");
    let Step::Request(request) = reader.next_step() else { panic!() };
    let xml = body(&site.answer(request, &mut directory));
    assert!(xml.contains("<port>10993</port>") && !xml.contains("outgoing"), "{xml}");
}

#[test]
fn outlook_is_answered_for_addresses_of_that_domain_only() {
    let autodiscover = |address: &str| {
        let xml = format!("<Request><EMailAddress>{address}</EMailAddress></Request>");
        let length = xml.len();
        let (answer, _) = ask(&format!(
            "POST /Autodiscover/Autodiscover.xml HTTP/1.1\r\nHost: autodiscover.kaede.example\r\n\
             Content-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{xml}"
        ));
        assert_eq!(answer.status, 200);
        body(&answer)
    };
    let xml = autodiscover("aoi@Kaede.example");
    for expected in ["<Type>IMAP</Type>", "<Port>993</Port>", "<Port>465</Port>"] {
        assert!(xml.contains(expected), "{xml}");
    }
    assert!(xml.contains("<LoginName>aoi@Kaede.example</LoginName>"), "{xml}");
    assert_eq!(xml.matches("<Type>SMTP</Type>").count(), 1, "{xml}");
    for wrong in
        ["aoi@ume.example", "@kaede.example", "aoi", "", "a\"b@kaede.example", "a&b@kaede.example"]
    {
        let xml = autodiscover(wrong);
        assert!(xml.contains("<ErrorCode>600</ErrorCode>") && !xml.contains("Server"), "{wrong}");
    }
    let answer = get("autodiscover.kaede.example", "/autodiscover/autodiscover.xml");
    assert_eq!(answer.status, 405);
    assert!(answer.fields.contains(&("Allow", "POST".to_owned())));
}

#[test]
fn a_policy_is_that_of_its_domain() {
    let answer = get("mta-sts.kaede.example", "/.well-known/mta-sts.txt");
    assert_eq!((answer.status, answer.content_type), (200, "text/plain; charset=utf-8"));
    let expected = "version: STSv1\r\nmode: enforce\r\nmx: mx.house.example\r\nmax_age: 604800\r\n";
    assert_eq!(body(&answer), expected);
    assert_eq!(get("mta-sts.slow.example", "/.well-known/mta-sts.txt").status, 503);
    assert_eq!(get("kaede.example", "/.well-known/mta-sts.txt").status, 404);
}

#[test]
fn what_is_not_served_is_misdirected_or_unknown() {
    for host in ["ume.example", "mta-sts.ume.example", "www.kaede.example", "127.0.0.1"] {
        let answer = get(host, "/.well-known/mta-sts.txt");
        assert_eq!(answer.status, 421, "{host}");
    }
    // Another host than the handshake was for, and none at all.
    for (server_name, host, status) in [
        (Some("autoconfig.kaede.example"), "mta-sts.kaede.example", 421),
        (Some("pages.house.example"), "mta-sts.kaede.example", 421),
        (None, "mta-sts.kaede.example", 421),
        (None, "pages.house.example", 404),
    ] {
        let mut site = Site::new(&start(), server_name.map(str::to_owned));
        let mut reader = Reader::default();
        let request = format!("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\n\r\n");
        reader.feed(request.as_bytes());
        let Step::Request(request) = reader.next_step() else { panic!() };
        assert_eq!(site.answer(request, &mut directory).status, status, "{server_name:?} {host}");
    }
    let (answer, _) =
        ask("PUT /mail/config-v1.1.xml HTTP/1.1\r\nHost: autoconfig.kaede.example\r\n\r\n");
    assert_eq!(answer.status, 405);
    assert_eq!(get("autoconfig.kaede.example", "/mail/../mail/config-v1.1.xml").status, 404);
    assert_eq!(get("pages.house.example", "/unsubscribe/").status, 404);
    assert_eq!(get("pages.house.example", "/").status, 200);
    assert_eq!(get("kaede.example", "/").status, 404);
}

#[test]
fn a_get_shows_a_button_and_changes_nothing() {
    for method in ["GET", "HEAD"] {
        let (answer, asked) = ask(&format!(
            "{method} {} HTTP/1.1\r\nHost: pages.house.example\r\nAccept-Language: ja\r\n\r\n",
            leaving()
        ));
        let looked = FromPages::Subscription { token: TOKEN.to_vec() };
        assert_eq!((answer.status, asked), (200, vec![looked]));
        let html = body(&answer);
        assert!(html.contains("かえで &lt;通信&gt; &lt;news@kaede.example&gt;"), "{html}");
        assert!(html.contains("b…@there.example") && !html.contains("jones"), "{html}");
        assert!(html.contains("<html lang=\"ja\">") && html.contains("配信を停止する"), "{html}");
        assert!(html.contains("<form method=\"post\">") && html.contains("?lang=en"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }
    let html = body(&get("pages.house.example", &format!("{}?lang=en", leaving())));
    assert!(html.contains("Leave the list") && html.contains("日本語"), "{html}");
    assert!(html.contains("Mailing list: ") && html.contains("Your address: "), "{html}");
    // A token of nothing says so at once; without an answer the button stays.
    assert_eq!(get("pages.house.example", "/unsubscribe/00").status, 404);
    let html = body(&get("pages.house.example", &unsubscribe_url("", b"later")));
    assert!(html.contains("Leave the list") && !html.contains("Your address"), "{html}");
}

#[test]
fn whoever_comes_without_a_link_is_told_what_is_here() {
    for (path, words, other) in [
        ("/", "Pages of a mail service", "?lang=ja"),
        ("/?lang=ja", "メールサービスのページ", "?lang=en"),
    ] {
        let html = body(&get("pages.house.example", path));
        assert!(html.contains(words) && html.contains(other), "{html}");
        assert!(!html.contains("<form"), "{html}");
    }
}

/// What was done is told in both, for no link may ask for it again.
#[test]
fn what_was_done_is_told_in_both_languages() {
    let (mine, not_mine) = held_urls("", HELD);
    for (path, text, [ja, en]) in [
        (
            &leaving(),
            "List-Unsubscribe=One-Click",
            ["配信を停止しました", "You have left the list"],
        ),
        (&mine, "answer=mine", ["メールを送信します", "Your message is on its way"]),
        (
            &not_mine,
            "answer=not-mine",
            ["これ以上の送信を止めました", "Sending in your name is stopped"],
        ),
    ] {
        for language in ["ja", "en"] {
            let html = body(&post(path, FORM, &format!("{text}&lang={language}")).0);
            assert!(html.contains(ja) && html.contains(en), "{html}");
            assert!(html.contains(&format!("<html lang=\"{language}\">")), "{html}");
            assert!(!html.contains("?lang="), "{html}");
        }
    }
}

#[test]
fn a_post_that_means_it_leaves() {
    let (answer, asked) = post(&leaving(), FORM, "List-Unsubscribe=One-Click");
    assert_eq!(answer.status, 200);
    assert_eq!(asked, [FromPages::Unsubscribe { token: TOKEN.to_vec() }]);
    let (answer, _) = post(&leaving(), FORM, "List-Unsubscribe=One-Click&lang=ja");
    assert!(body(&answer).contains("配信を停止しました"));
    let part = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                One-Click\r\n--x--\r\n";
    let (answer, asked) = post(&leaving(), "multipart/form-data; boundary=x", part);
    assert_eq!((answer.status, asked.len()), (200, 1));
}

/// A mail program may ask twice, and a reader come back to an old mail (RFC 8058).
#[test]
fn a_link_that_has_served_is_no_error() {
    let path = unsubscribe_url("", b"over");
    let (answer, _) = post(&path, FORM, "List-Unsubscribe=One-Click");
    assert_eq!(answer.status, 200);
    let (answer, _) = post(&path, FORM, "List-Unsubscribe=One-Click&lang=en");
    assert!(answer.status == 200 && body(&answer).contains("This subscription has ended"));
    let page = get("pages.house.example", &path);
    assert!(page.status == 200 && !body(&page).contains("<button"), "{}", body(&page));
}

#[test]
fn any_other_post_leaves_nobody() {
    for (kind, text, status) in [
        (FORM, "", 400),
        (FORM, "List-Unsubscribe=One-click", 400),
        (FORM, "List-Unsubscribe=One-ClickX", 400),
        (FORM, "X-List-Unsubscribe=One-Click", 400),
        ("text/plain", "List-Unsubscribe=One-Click", 415),
        ("application/json", "{}", 415),
        ("multipart/form-data; boundary=x", "One-Click", 400),
        (
            "multipart/form-data; boundary=x",
            "content-disposition: form-data; name=\"list-unsubscribe\"\r\n\r\nTwo\r\n",
            400,
        ),
    ] {
        let (answer, asked) = post(&leaving(), kind, text);
        assert_eq!((answer.status, asked), (status, Vec::new()), "{kind} {text}");
    }
    let (answer, _) = post("/unsubscribe/00", FORM, "List-Unsubscribe=One-Click");
    assert_eq!(answer.status, 404);
    let (answer, asked) = post("/unsubscribe/xyz", FORM, "List-Unsubscribe=One-Click");
    assert_eq!((answer.status, asked), (404, Vec::new()));
    let (answer, _) =
        post(&unsubscribe_url("", b"later"), FORM, "List-Unsubscribe=One-Click&lang=en");
    assert_eq!(answer.status, 503);
    assert!(body(&answer).contains("You are still on the list"));
}

#[test]
fn whoever_looks_at_a_held_message_decides_nothing() {
    let (mine, not_mine) = held_urls("", HELD);
    for (path, button, contrary) in
        [(&mine, "It was me: send it", &not_mine), (&not_mine, "It was not me: discard it", &mine)]
    {
        for method in ["GET", "HEAD"] {
            let (answer, asked) =
                ask(&format!("{method} {path} HTTP/1.1\r\nHost: pages.house.example\r\n\r\n"));
            assert_eq!((answer.status, asked), (200, Vec::new()));
            let html = body(&answer);
            assert!(html.contains(button) && html.contains(&"ab".repeat(16)), "{html}");
            assert!(html.contains(&format!("href=\"{contrary}?lang=en\"")), "{html}");
            assert!(answer.fields.contains(&("Cache-Control", "no-store".to_owned())));
        }
    }
    let html = body(&get("pages.house.example", &format!("{not_mine}?lang=ja")));
    assert!(html.contains("私ではありません") && html.contains("?lang=en"), "{html}");
}

#[test]
fn a_post_that_means_it_is_a_person_s_word() {
    let (mine, not_mine) = held_urls("", HELD);
    let check = |path: &str, text: &str, status: u16, word: Option<bool>, shown: &str| {
        let (answer, asked) = post(path, FORM, text);
        let told = word.map(|is_theirs| FromPages::Held { token: HELD.to_vec(), is_theirs });
        assert_eq!((answer.status, asked), (status, told.into_iter().collect()), "{path} {text}");
        assert!(body(&answer).contains(shown), "{}", body(&answer));
    };
    check(&mine, "answer=mine&lang=en", 200, Some(true), "on its way");
    check(&mine, "answer=mine&lang=ja", 200, Some(true), "まもなく送信されます");
    check(&not_mine, "answer=not-mine&lang=ja", 200, Some(false), "これ以上の送信を止めました");
    // A form of the other page, of none, or with anything else.
    check(&mine, "answer=not-mine", 400, None, "expected answer=mine");
    check(&not_mine, "answer=mine", 400, None, "expected answer=not-mine");
    check(&mine, "", 400, None, "expected");
    check("/mine/xyz", "answer=mine", 404, None, "cannot be used");
    check("/mine/", "answer=mine", 404, None, "cannot be used");
    let (answer, asked) = post(&mine, "text/plain", "answer=mine");
    assert_eq!((answer.status, asked), (415, Vec::new()));
    let (later, _) = held_urls("", b"later");
    let (answer, _) = post(&later, FORM, "answer=mine&lang=en");
    assert_eq!(answer.status, 503);
    assert!(body(&answer).contains("Nothing has been decided"));
    let (forged, _) = held_urls("", &[1; 44]);
    assert_eq!(post(&forged, FORM, "answer=mine").0.status, 404);
    assert_eq!(get("pages.house.example", "/other/0102").status, 404);
}

/// Each held message has its own question: whoever answered one hears how many are left.
#[test]
fn whoever_said_no_hears_how_much_else_is_held() {
    for (more, ja, en) in [
        (0, "ほかにありません", "Nothing else is held in your name"),
        (1, "ほかに 1 通、まだ保留中", "1 more message is still held"),
        (7, "ほかに 7 通、まだ保留中", "7 more messages are still held"),
    ] {
        let (_, not_mine) = held_urls("", &[more, 0, 0]);
        for language in ["ja", "en"] {
            let (answer, _) = post(&not_mine, FORM, &format!("answer=not-mine&lang={language}"));
            let html = body(&answer);
            assert_eq!(answer.status, 200, "{html}");
            assert!(html.contains(ja) && html.contains(en), "{more} {language}: {html}");
            assert!(html.contains("メールを破棄しました"), "{html}");
        }
    }
    let (mine, not_mine) = held_urls("", HELD);
    let html = body(&post(&not_mine, FORM, "answer=not-mine&lang=en").0);
    assert!(html.contains("Nothing else is held"), "{html}");
    let html = body(&post(&mine, FORM, "answer=mine&lang=en").0);
    assert!(!html.contains("held in your name"), "{html}");
}

#[test]
fn every_answer_is_guarded() {
    for answer in [
        get("pages.house.example", &leaving()),
        get("mta-sts.kaede.example", "/.well-known/mta-sts.txt"),
        get("ume.example", "/"),
        get("kaede.example", "/"),
    ] {
        let text = String::from_utf8(answer.octets(0, false, Ending::Keeps)).unwrap();
        for field in [
            "Content-Security-Policy: default-src 'none'; ",
            "X-Content-Type-Options: nosniff",
            "X-Frame-Options: DENY",
            "Referrer-Policy: no-referrer",
            "Date: ",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert!(!text.contains("Server:"), "{text}");
    }
    let lasts = |answer: &Answer| {
        answer.fields.iter().any(|(name, _)| *name == "Strict-Transport-Security")
    };
    assert!(lasts(&get("mta-sts.kaede.example", "/")));
    assert!(!lasts(&get("kaede.example", "/")));
}

#[test]
fn the_one_style_is_the_one_that_the_policy_allows() {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
    let hash = data_encoding::BASE64.encode(digest.as_ref());
    assert!(POLICY.contains(&format!("'sha256-{hash}'")), "the hash is {hash}");
    assert!(!POLICY.contains('\n'));
}
