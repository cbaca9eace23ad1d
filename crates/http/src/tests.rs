//! Requests as clients and intruders write them.

use crate::{Answer, BODY_BYTES, CONTINUE, Ending, FIELDS, HEAD_BYTES, Method, Reader, Step};

const HOST: &str = "Host: a.example\r\n";

/// What becomes of these octets, in words; fed at once and one by one, which must be the same.
fn read(octets: &[u8]) -> String {
    let whole = steps(octets, octets.len().max(1));
    assert_eq!(whole, steps(octets, 1), "{}", String::from_utf8_lossy(octets));
    whole
}

fn steps(octets: &[u8], piece: usize) -> String {
    let (mut reader, mut said) = (Reader::default(), Vec::new());
    for piece in octets.chunks(piece) {
        reader.feed(piece);
        loop {
            match reader.next_step() {
                Step::Read | Step::Continue => break,
                Step::Request(request) => {
                    let method = match request.method {
                        Method::Get => "GET",
                        Method::Head => "HEAD",
                        Method::Post => "POST",
                        Method::Other => "other",
                    };
                    let mut words = format!("{method} {}{}", request.host, request.path);
                    if let Some(query) = &request.query {
                        words.push_str(&format!("?{query}"));
                    }
                    if !request.body.is_empty() {
                        words.push_str(&format!(" +{}", request.body.len()));
                    }
                    if !request.keeps {
                        words.push_str(" closes");
                    }
                    said.push(words);
                }
                Step::Refused(refusal) => {
                    said.push(refusal.status().to_string());
                    return said.join(", ");
                }
            }
        }
    }
    if reader.is_inside() {
        said.push("unfinished".to_owned());
    }
    said.join(", ")
}

fn check(octets: impl AsRef<[u8]>, expected: &str) {
    let octets = octets.as_ref();
    assert_eq!(read(octets), expected, "{}", String::from_utf8_lossy(octets));
}

#[test]
fn honest_requests_are_read_one_after_the_other() {
    check(format!("GET / HTTP/1.1\r\n{HOST}\r\n"), "GET a.example/");
    check(format!("HEAD /x?a=b&c=d HTTP/1.1\r\n{HOST}\r\n"), "HEAD a.example/x?a=b&c=d");
    check("GET / HTTP/1.1\r\nhost:A.Example.:2543\r\n\r\n", "GET a.example/");
    check("GET / HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", "GET ::1/");
    check(format!("DELETE /x HTTP/1.1\r\n{HOST}\r\n"), "other a.example/x");
    check(format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n"), "other a.example*");
    let post = format!("POST /u/1 HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nhello");
    check(&post, "POST a.example/u/1 +5");
    check(format!("{post}{post}GET / HTTP/1.1\r\n{HOST}Connection: x, Close\r\n\r\n"), {
        "POST a.example/u/1 +5, POST a.example/u/1 +5, GET a.example/ closes"
    });
    // RFC 9112 §2.2: one empty line is passed over, two are not.
    check(format!("\r\nGET / HTTP/1.1\r\n{HOST}\r\n"), "GET a.example/");
    check(format!("GET https://A.EXAMPLE/x HTTP/1.1\r\n{HOST}\r\n"), "GET a.example/x");
    check(format!("GET https://a.example?x HTTP/1.1\r\n{HOST}\r\n"), "GET a.example/?x");
    check("GET / HTTP/1.1\r\nHos", "unfinished");
    check(format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nhell"), "unfinished");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let get = format!("GET / HTTP/1.1\r\n{HOST}");
    for field in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 ;",
        "Content-Length:",
        "Content-Length : 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Host: b.example",
        "Host: a.example",
        "X: a\r\n folded: b",
        "X: a\r\n\tfolded",
        " X: a",
        "X\u{b}: a",
        "X: a\u{7}b",
        ": a",
        "X",
        "X: a\nTransfer-Encoding: chunked",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\0b",
        "Höst: a",
    ] {
        check(format!("{get}{field}\r\n\r\nhello"), "400");
    }
    check(format!("{get}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "411");
    check(format!("{get}Transfer-Encoding: xchunked\r\n\r\n"), "411");
    // What stands behind a refused request is nobody's.
    check(format!("{get}X\r\n\r\nGET / HTTP/1.1\r\n{HOST}\r\n"), "400");
}

#[test]
fn lines_end_by_both_octets_and_by_nothing_else() {
    check("GET / HTTP/1.1\nHost: a.example\n\n", "400");
    check("GET / HTTP/1.1\r\nHost: a.example\n\r\n\r\n", "400");
    check("GET / HTTP/1.1\r\nHost: a.example\r\nX: a\n\nGET /y HTTP/1.1\r\n\r\n", "400");
    check("GET /\rHTTP/1.1\r\nHost: a.example\r\n\r\n", "400");
    check("\n", "400");
    check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", "400");
}

#[test]
fn the_first_line_is_three_words() {
    for line in [
        "GET /",
        "GET",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET / x HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET x HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET /あ HTTP/1.1",
        "GET /#x HTTP/1.1",
        "CONNECT a.example:443 HTTP/1.1",
        "GET https://b.example/ HTTP/1.1",
        "GET https://u@a.example/ HTTP/1.1",
        "GET / http/1.1",
    ] {
        check(format!("{line}\r\n{HOST}\r\n"), "400");
    }
    check(format!("GET / HTTP/1.0\r\n{HOST}\r\n"), "505");
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505");
    check("GET / HTTP/1.1\r\n\r\n", "400");
    for host in ["", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[::1]x", "[x]", "a:1:2", "あ"]
    {
        check(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), "400");
    }
}

#[test]
fn nothing_is_held_without_a_bound() {
    let long = format!("GET a.example/{}", "a".repeat(2_047));
    check(format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "a".repeat(2_047)), &long);
    check(format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "a".repeat(2_048)), "414");
    check("a".repeat(5_000), "414");
    let filler =
        |octets: usize| format!("GET / HTTP/1.1\r\n{HOST}X: {}\r\n\r\n", "a".repeat(octets));
    let room = HEAD_BYTES - filler(0).len() + 2;
    check(filler(room), "GET a.example/");
    check(filler(room + 1), "431");
    check(format!("GET / HTTP/1.1\r\n{HOST}X: {}", "a".repeat(HEAD_BYTES)), "431");
    let many =
        |count: usize| format!("GET / HTTP/1.1\r\n{HOST}{}\r\n", "X: a\r\n".repeat(count - 1));
    check(many(FIELDS), "GET a.example/");
    check(many(FIELDS + 1), "431");
    let post = |length: &str| format!("POST / HTTP/1.1\r\n{HOST}Content-Length: {length}\r\n\r\n");
    check(post(&(BODY_BYTES + 1).to_string()), "413");
    check(post(&"9".repeat(400)), "413");
    let most = format!("{}{}", post(&BODY_BYTES.to_string()), "b".repeat(BODY_BYTES));
    check(most, &format!("POST a.example/ +{BODY_BYTES}"));
}

#[test]
fn who_waits_for_a_word_gets_it_once() {
    let head =
        format!("POST / HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let mut reader = Reader::default();
    reader.feed(head.as_bytes());
    assert_eq!(reader.next_step(), Step::Continue);
    assert_eq!(reader.next_step(), Step::Read);
    reader.feed(b"ab");
    assert!(matches!(reader.next_step(), Step::Request(request) if request.body == b"ab"));
    assert!(CONTINUE.ends_with(b"\r\n\r\n"));
    // Who does not wait is not told.
    reader.feed(format!("{head}a").as_bytes());
    assert_eq!(reader.next_step(), Step::Read);
    check(format!("GET / HTTP/1.1\r\n{HOST}Expect: the-unexpected\r\n\r\n"), "417");
}

#[test]
fn an_answer_says_its_length_and_its_date_and_no_version() {
    let answer = Answer::text(404, "no\n").with("X-A", "b\r\nX-C: d");
    let octets = answer.octets(784_111_777_000, false, Ending::Closes);
    let expected = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
                    X-A: bX-C: d\r\nConnection: close\r\n\r\nno\n";
    assert_eq!(String::from_utf8(octets).unwrap(), expected);
    let head = answer.octets(0, true, Ending::Keeps);
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(!head.contains("Server") && !head.contains("Connection"), "{head}");
}

/// `cargo xtask fuzz` runs the mini-fuzzers longer.
fn factor() -> usize {
    std::env::var("SEKISHO_FUZZ_FACTOR").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn fuzz_requests_are_read_or_refused() {
    let mut state = 0x5eed_0443u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize
    };
    let seeds = [
        "GET /x?y=z HTTP/1.1\r\nHost: a.example:443\r\nAccept-Language: ja\r\n\r\n",
        "POST /u/00ff HTTP/1.1\r\nHost: a.example\r\nContent-Length: 7\r\n\
         Connection: close\r\n\r\na=bcdef",
        "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n\
         HEAD / HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
         Expect: 100-continue\r\n\r\n0\r\n\r\n",
    ];
    let parts: [&[u8]; 8] =
        [b"\r\n", b"\n", b"\r", b"\0", b": ", b" ", b"Content-Length: 3\r\n", b"\r\n\r\n"];
    for round in 0..20_000 * factor() {
        let mut input = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..1 + next() % 4 {
            let at = next() % input.len();
            match next() % 4 {
                0 => input[at] = next() as u8,
                1 => drop(input.splice(at..at, parts[next() % parts.len()].iter().copied())),
                2 => drop(input.remove(at)),
                _ => input.truncate(at.max(1)),
            }
            if input.is_empty() {
                input.push(b'G');
            }
        }
        // However it comes, it is the same request; and no field of it holds a line's end.
        let whole = steps(&input, input.len());
        assert_eq!(whole, steps(&input, 1 + next() % 9));
        assert!(!whole.contains(['\r', '\n', '\0']), "{whole}");
    }
}
