//! About thirty letters as they come: in both languages, good, odd and bad.

use data_encoding::BASE64_MIME;

/// One letter of the sample: who sends it to whom over the wire, and its octets.
pub struct Letter {
    /// What it is, for the screen.
    pub about: &'static str,
    pub helo: &'static str,
    pub mail_from: &'static str,
    pub rcpt_to: Vec<&'static str>,
    pub octets: Vec<u8>,
    /// The sender signs with DKIM.
    pub signed_by: Option<&'static str>,
    /// How the octets are sent.
    pub manner: Manner,
}

/// How a client behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Proper,
    /// Tries to end DATA by other means and to smuggle a second message.
    Smuggler,
}

/// The EICAR test file, in two halves so that no scanner stops on this source.
const EICAR: (&str, &str) =
    ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*");

fn letter(
    about: &'static str,
    from: &'static str,
    to: &[&'static str],
    octets: impl Into<Vec<u8>>,
) -> Letter {
    let helo = from.rsplit_once('@').map_or("sender.example", |(_, domain)| domain);
    Letter {
        about,
        helo,
        mail_from: from,
        rcpt_to: to.to_vec(),
        octets: octets.into(),
        signed_by: None,
        manner: Manner::Proper,
    }
}

impl Letter {
    fn signed(mut self, domain: &'static str) -> Self {
        self.signed_by = Some(domain);
        self
    }

    fn envelope(mut self, mail_from: &'static str, helo: &'static str) -> Self {
        self.mail_from = mail_from;
        self.helo = helo;
        self
    }
}

struct Head<'a> {
    from: &'a str,
    to: &'a str,
    subject: &'a str,
    more: &'a str,
}

fn head(head: &Head<'_>, number: u32) -> String {
    let Head { from, to, subject, more } = head;
    let domain = from.rsplit_once('@').map_or("sender.example", |(_, d)| d.trim_end_matches('>'));
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {}\r\nDate: Sun, 22 Nov 2026 09:{:02}:00 +0900\r\n\
         Message-ID: <sample-{number}@{domain}>\r\nMIME-Version: 1.0\r\n{more}",
        encoded(subject),
        number % 60,
    )
}

/// RFC 2047, as most senders do it: base64 of UTF-8, cut at character boundaries.
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if piece.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    let base64 = &data_encoding::BASE64;
    let words = words.iter().map(|w| format!("=?UTF-8?B?{}?=", base64.encode(w.as_bytes())));
    words.collect::<Vec<_>>().join("\r\n ")
}

fn plain(number: u32, heading: &Head<'_>, body: &str) -> Vec<u8> {
    let top = head(heading, number);
    let body = body.replace('\n', "\r\n");
    let base64 = BASE64_MIME.encode(body.as_bytes());
    format!(
        "{top}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{base64}"
    )
    .into_bytes()
}

fn html(number: u32, heading: &Head<'_>, text: &str, html: &str) -> Vec<u8> {
    let top = head(heading, number);
    let base64 = |text: &str| BASE64_MIME.encode(text.replace('\n', "\r\n").as_bytes());
    format!(
        "{top}Content-Type: multipart/alternative; boundary=\"=_{number}\"\r\n\r\n\
         --=_{number}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --=_{number}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--=_{number}--\r\n",
        base64(text),
        base64(html)
    )
    .into_bytes()
}

fn attached(number: u32, heading: &Head<'_>, body: &str, files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut octets = head(heading, number);
    octets.push_str(&format!(
        "Content-Type: multipart/mixed; boundary=\"=_{number}\"\r\n\r\n--=_{number}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        BASE64_MIME.encode(body.replace('\n', "\r\n").as_bytes())
    ));
    for (name, kind, content) in files {
        octets.push_str(&format!(
            "--=_{number}\r\nContent-Type: {kind}; name=\"{}\"\r\n\
             Content-Disposition: attachment; filename*=utf-8''{}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            encoded(name),
            percent(name),
            BASE64_MIME.encode(content)
        ));
    }
    octets.push_str(&format!("--=_{number}--\r\n"));
    octets.into_bytes()
}

fn percent(name: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    name.bytes()
        .map(|b| if keep(&b) { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// A letter in ISO-2022-JP, as much of Japan still writes.
fn jis(number: u32, from: &str, to: &str, subject: &str, body: &str) -> Vec<u8> {
    let encode = |text: &str| encoding_rs::ISO_2022_JP.encode(text).0.into_owned();
    let subject = data_encoding::BASE64.encode(&encode(subject));
    let mut octets = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: =?ISO-2022-JP?B?{subject}?=\r\n\
         Date: Sun, 22 Nov 2026 08:{:02}:00 +0900\r\nMessage-ID: <jis-{number}@sender.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n\
         Content-Transfer-Encoding: 7bit\r\n\r\n",
        number % 60
    )
    .into_bytes();
    octets.extend_from_slice(&encode(&body.replace('\n', "\r\n")));
    octets
}

/// One stored file in a zip, no compression: enough of the format for a real archive.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut central = Vec::new();
    for (name, content) in files {
        let offset = out.len() as u32;
        let fixed = entry_fields(name, content);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&fixed);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(content);
        central.extend_from_slice(b"PK\x01\x02\x14\x00");
        central.extend_from_slice(&fixed);
        central.extend_from_slice(&[0; 10]);
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
    }
    let (start, length, count) = (out.len() as u32, central.len() as u32, files.len() as u16);
    out.extend_from_slice(&central);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

fn entry_fields(name: &str, content: &[u8]) -> Vec<u8> {
    let mut fields = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x76, 0x5b];
    fields.extend_from_slice(&crc32(content).to_le_bytes());
    fields.extend_from_slice(&(content.len() as u32).to_le_bytes());
    fields.extend_from_slice(&(content.len() as u32).to_le_bytes());
    fields.extend_from_slice(&(name.len() as u16).to_le_bytes());
    fields.extend_from_slice(&[0, 0]);
    fields
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A zip whose one entry says it is four thousand times as large as it is.
fn bomb() -> Vec<u8> {
    // Deflate of 10 MiB of zeros: one literal, then matches of 258 at distance 1, by the encoder.
    let zeros = vec![0u8; 10 * 1024 * 1024];
    let packed = miniz_oxide::deflate::compress_to_vec(&zeros, 9);
    let mut out = zip(&[("zeros.bin", &packed)]);
    // Method 8 (deflate) and the true size, in both directories.
    let size = (zeros.len() as u32).to_le_bytes();
    patch(&mut out, b"PK\x03\x04", 8, &[8, 0]);
    patch(&mut out, b"PK\x03\x04", 22, &size);
    patch(&mut out, b"PK\x01\x02", 10, &[8, 0]);
    patch(&mut out, b"PK\x01\x02", 24, &size);
    patch(&mut out, b"PK\x03\x04", 14, &crc32(&zeros).to_le_bytes());
    patch(&mut out, b"PK\x01\x02", 16, &crc32(&zeros).to_le_bytes());
    out
}

fn patch(out: &mut [u8], mark: &[u8], at: usize, with: &[u8]) {
    let Some(start) = out.windows(mark.len()).position(|window| window == mark) else { return };
    if let Some(place) = out.get_mut(start + at..start + at + with.len()) {
        place.copy_from_slice(with);
    }
}

const AOI: &str = "aoi@example.jp";
const HARU: &str = "haru@example.jp";
const MINA: &str = "mina@example.jp";
const ALICE: &str = "alice@example.net";
const BOB: &str = "bob@example.net";
const TANAKA: &str = "tanaka@sender.example";
const NEWS: &str = "news@letters.example";

/// The sample, in the order in which it is sent.
pub fn letters() -> Vec<Letter> {
    let mut all = everyday();
    all.extend(business());
    all.extend(hostile());
    all
}

fn to<'a>(from: &'a str, to: &'a str, subject: &'a str) -> Head<'a> {
    Head { from, to, subject, more: "" }
}

fn everyday() -> Vec<Letter> {
    let tanaka = "田中 一郎 <tanaka@sender.example>";
    let kimura = "木村 <kimura@sender.example>";
    let jis_body = "葵様\n\nいつもお世話になっております。田中です。\n明日の打ち合わせは十時からでよろしいでしょうか。\n\n田中\n";
    let garden = Head {
        more: "List-Unsubscribe: <https://letters.example/u/1>\r\n\
               List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk\r\n",
        ..to("Garden Letters <news@letters.example>", BOB, "What to plant in November")
    };
    let harvest = Head {
        more: "List-Unsubscribe: <https://letters.example/u/2>\r\nPrecedence: bulk\r\n",
        ..to("季節の便り <news@letters.example>", HARU, "今月の季節の便り")
    };
    let reply = Head {
        more: "In-Reply-To: <sample-2@sender.example>\r\nReferences: <sample-2@sender.example>\r\n",
        ..to("Carol <carol@sender.example>", ALICE, "Re: Lunch on Thursday?")
    };
    vec![
        letter(
            "a letter in ISO-2022-JP",
            TANAKA,
            &[AOI],
            jis(1, tanaka_ascii(), AOI, "明日の打ち合わせ", jis_body),
        )
        .signed("sender.example"),
        letter(
            "a plain English letter",
            "carol@sender.example",
            &[ALICE],
            plain(
                2,
                &to("Carol <carol@sender.example>", ALICE, "Lunch on Thursday?"),
                "Hi Alice,\n\nshall we try the new place by the river?\n\nCarol\n",
            ),
        )
        .signed("sender.example"),
        letter(
            "a reply in the same thread",
            "carol@sender.example",
            &[ALICE],
            plain(3, &reply, "I booked a table for two at noon.\n\n> Yes, gladly!\n"),
        )
        .signed("sender.example"),
        letter(
            "a Japanese letter in UTF-8",
            TANAKA,
            &[AOI, HARU],
            plain(
                4,
                &to(tanaka, "葵 <aoi@example.jp>, 春 <haru@example.jp>", "見積書の件"),
                "葵様、春様\n\n見積書をお送りいたします。ご確認ください。\n\n田中\n",
            ),
        )
        .signed("sender.example"),
        letter(
            "a newsletter, signed",
            NEWS,
            &[BOB],
            html(
                5,
                &garden,
                "Plant garlic now.\n",
                "<h1>November</h1><p>Plant garlic now, and cover the roses.</p>",
            ),
        )
        .signed("letters.example"),
        letter(
            "a Japanese newsletter, signed",
            NEWS,
            &[HARU],
            html(
                6,
                &harvest,
                "柿の季節です。\n",
                "<h1>柿の季節です</h1><p>干し柿の作り方をご紹介します。</p>",
            ),
        )
        .signed("letters.example"),
        letter(
            "to a plus-address",
            TANAKA,
            &["aoi+tickets@example.jp"],
            plain(
                7,
                &to(tanaka, "aoi+tickets@example.jp", "入場券のご案内"),
                "当日はこの番号をお持ちください。\n",
            ),
        ),
        letter(
            "to an alias",
            "dave@sender.example",
            &["sales@example.net"],
            plain(
                8,
                &to("Dave <dave@sender.example>", "sales@example.net", "Price list"),
                "Could you send me the current price list?\n",
            ),
        ),
        letter(
            "to postmaster",
            "dave@sender.example",
            &["postmaster@example.jp"],
            plain(
                9,
                &to(
                    "Dave <dave@sender.example>",
                    "postmaster@example.jp",
                    "Question about your MX",
                ),
                "Your MX answers slowly from here.\n",
            ),
        ),
        letter(
            "a birthday card from a friend",
            "kimura@sender.example",
            &[MINA],
            plain(
                10,
                &to(kimura, MINA, "お誕生日おめでとう"),
                "みなさんへ\n\nお誕生日おめでとうございます！\n素敵な一年になりますように。\n\n木村\n",
            ),
        ),
        letter(
            "half-width kana and vendor characters",
            TANAKA,
            &[MINA],
            jis(
                11,
                tanaka_ascii(),
                MINA,
                "ご案内",
                "会場はビルの三階です。\nお足元にお気をつけください。\n",
            ),
        ),
    ]
}

fn tanaka_ascii() -> &'static str {
    "Ichiro Tanaka <tanaka@sender.example>"
}

fn business() -> Vec<Letter> {
    let pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
    let csv = "品名,数量,単価\n紙,10,500\n筆,3,1200\n".as_bytes();
    let png: &[u8] =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
    let minutes = zip(&[("minutes.txt", b"1. budget\r\n2. dates\r\n")]);
    let long: String = (1..=400).map(|n| format!("{n}. 項目の説明をここに記します。\n")).collect();
    let shipping = "Orders <orders@letters.example>";
    vec![
        letter("an invoice as PDF", "billing@sender.example", &[ALICE], attached(12, &to("Billing <billing@sender.example>", ALICE, "Invoice 2026-1187"), "Please find the invoice attached.\n", &[("invoice-2026-1187.pdf", "application/pdf", pdf)])).signed("sender.example"),
        letter("a table with a Japanese name", TANAKA, &[AOI], attached(13, &to(TANAKA, AOI, "見積書をお送りします"), "添付をご確認ください。\n", &[("見積書.csv", "text/csv", csv)])).signed("sender.example"),
        letter("two attachments", "carol@sender.example", &[BOB], attached(14, &to("carol@sender.example", BOB, "Logo and notes"), "Both are drafts.\n", &[("logo.png", "image/png", png), ("notes.txt", "text/plain", b"left is better\r\n")])),
        letter("a harmless zip", "dave@sender.example", &[ALICE], attached(15, &to("dave@sender.example", ALICE, "Minutes"), "The minutes, zipped.\n", &[("minutes.zip", "application/zip", &minutes)])),
        letter("a shipping notice", "orders@letters.example", &[HARU], html(16, &to(shipping, HARU, "ご注文の発送について"), "本日発送いたしました。\n", "<p>本日発送いたしました。<a href=\"https://letters.example/t/9\">追跡はこちら</a></p>")).signed("letters.example"),
        letter("a long Japanese report", TANAKA, &[HARU], plain(17, &to(TANAKA, HARU, "十一月の報告書"), &long)),
        letter("a notice to three people", "kimura@sender.example", &[AOI, HARU, MINA], plain(18, &to("kimura@sender.example", "undisclosed-recipients:;", "停電のお知らせ"), "土曜日の九時から十時まで停電いたします。\n")).signed("sender.example"),
        letter("a note to two organisations", "carol@sender.example", &[AOI, ALICE], plain(19, &to("carol@sender.example", "aoi@example.jp, alice@example.net", "Joint meeting"), "Tuesday at four would suit us. 火曜日の四時はいかがでしょうか。\n")).signed("sender.example"),
        letter("a bounce, with the null sender", "mailer@sender.example", &[BOB], plain(20, &to("Mail Delivery <mailer-daemon@sender.example>", BOB, "Undelivered Mail Returned to Sender"), "The address <nobody@sender.example> does not exist.\n")).envelope("", "mail.sender.example"),
    ]
}

fn hostile() -> Vec<Letter> {
    let eicar = format!("{}{}", EICAR.0, EICAR.1);
    let nested = zip(&[("inner.zip", &zip(&[("eicar.com", eicar.as_bytes())]))]);
    let exe: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0This program cannot be run";
    let bank = "あおば銀行 <support@aoba-bank.example>";
    let login = "<p>お客様の口座を確認するため、<a href=\"http://aoba-bank.example.login-check.test/\">https://www.aoba-bank.example/</a> にログインしてください。</p><form action=\"http://203.0.113.7/p\"><input name=\"password\"></form>";
    let boss = "\"aoi@example.jp\" <ceo.office@unknown.example>";
    let mut smuggled = letter(
        "a smuggling attempt: two messages in one",
        "eve@unknown.example",
        &[BOB],
        smuggling(),
    );
    smuggled.manner = Manner::Smuggler;
    vec![
        letter(
            "phishing: a bank that did not send it",
            "support@aoba-bank.example",
            &[AOI],
            html(
                21,
                &to(bank, AOI, "【重要】口座の確認のお願い"),
                "口座を確認してください。\n",
                login,
            ),
        )
        .envelope("bounce@unknown.example", "unknown.example"),
        letter(
            "phishing: the display name of a colleague",
            "ceo.office@unknown.example",
            &[HARU],
            plain(
                22,
                &to(boss, HARU, "Urgent: gift cards"),
                "Are you at your desk? Buy five gift cards and send me the codes. Keep it between us.\n",
            ),
        ),
        letter(
            "EICAR, bare",
            "eve@unknown.example",
            &[AOI],
            attached(
                23,
                &to("eve@unknown.example", AOI, "Your document"),
                "See attached.\n",
                &[("document.com", "application/octet-stream", eicar.as_bytes())],
            ),
        ),
        letter(
            "EICAR in a zip in a zip",
            "eve@unknown.example",
            &[ALICE],
            attached(
                24,
                &to("eve@unknown.example", ALICE, "Archive"),
                "See attached.\n",
                &[("archive.zip", "application/zip", &nested)],
            ),
        ),
        letter(
            "a zip bomb",
            "eve@unknown.example",
            &[BOB],
            attached(
                25,
                &to("eve@unknown.example", BOB, "Backup"),
                "Large.\n",
                &[("backup.zip", "application/zip", &bomb())],
            ),
        ),
        letter(
            "a program dressed as an invoice",
            "eve@unknown.example",
            &[MINA],
            attached(
                26,
                &to("eve@unknown.example", MINA, "請求書"),
                "請求書を添付します。\n",
                &[("請求書.pdf.exe", "application/pdf", exe)],
            ),
        ),
        letter(
            "GTUBE, the spam test",
            "eve@unknown.example",
            &[BOB],
            plain(
                27,
                &to("eve@unknown.example", BOB, "Cheap"),
                "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n",
            ),
        ),
        letter("forged authentication results", "eve@unknown.example", &[HARU], forged()),
        letter(
            "an unknown recipient",
            "dave@sender.example",
            &["nobody@example.jp"],
            plain(29, &to("dave@sender.example", "nobody@example.jp", "Hello"), "Anybody there?\n"),
        ),
        letter(
            "a relay attempt",
            "eve@unknown.example",
            &["victim@elsewhere.example"],
            plain(
                30,
                &to("eve@unknown.example", "victim@elsewhere.example", "Relay"),
                "Relay me.\n",
            ),
        ),
        smuggled,
    ]
}

fn forged() -> Vec<u8> {
    let more = "Authentication-Results: mx.sekisho.localhost; spf=pass; dkim=pass; dmarc=pass\r\n";
    let heading = Head { more, ..to("trusted@aoba-bank.example", HARU, "お振込のご案内") };
    plain(28, &heading, "振込先が変わりました。\n")
}

fn smuggling() -> Vec<u8> {
    let mut octets = plain(31, &to("eve@unknown.example", BOB, "First"), "The visible part.\n");
    octets.extend_from_slice(
        b"\r\n\n.\r\nMAIL FROM:<ceo@example.net>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n\
          From: ceo@example.net\r\nSubject: Smuggled\r\n\r\nPay at once.\r\n",
    );
    octets
}
