//! What is asked of a host: a request that cannot be made to say more than it should.

use data_encoding::HEXLOWER;
use wire::fetch::{Ask, Webhook};

/// RFC 1035 §2.3.4.
const HOST_BYTES: usize = 253;
const PATH_BYTES: usize = 2_048;
const TYPE_BYTES: usize = 200;
/// What may be handed up: a day's report, compressed.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// What may be brought, whoever asks.
const LIMIT_BYTES: usize = 8 * 1024 * 1024;
/// An answer to what was handed up is read to this, and nobody needs more of it.
const THANKS_BYTES: usize = 64 * 1024;

/// A request, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub host: String,
    pub octets: Vec<u8>,
    pub limit: usize,
}

/// `None`: it names no host, no path or no type that can be written down.
pub(crate) fn request(ask: &Ask) -> Option<Request> {
    let head = |method: &str, host: &str, path: &str| {
        let is_sound = is_host(host) && is_path(path);
        is_sound.then(|| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Sekisho\r\n\
                 Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
            )
        })
    };
    match ask {
        Ask::Get { host, path, limit } => {
            let octets = format!("{}\r\n", head("GET", host, path)?).into_bytes();
            let limit = usize::try_from(*limit).unwrap_or(LIMIT_BYTES).min(LIMIT_BYTES);
            Some(Request { host: host.clone(), octets, limit })
        }
        Ask::Post { host, path, content_type, body } => {
            if body.len() > BODY_BYTES || !is_type(content_type) {
                return None;
            }
            let head = head("POST", host, path)?;
            let length = body.len();
            let mut octets =
                format!("{head}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n")
                    .into_bytes();
            octets.extend_from_slice(body);
            Some(Request { host: host.clone(), octets, limit: THANKS_BYTES })
        }
    }
}

/// An alarm on its way to the operator's webhook. What it says stands in the body; what proves it,
/// beside it: a receiver refuses an old timestamp, so that nobody says the same again later.
pub(crate) fn alarm(
    to: &Webhook,
    timestamp: u64,
    signature: &[u8; 32],
    body: &[u8],
) -> Option<Request> {
    if !is_host(&to.host) || !is_path(&to.path) || body.len() > BODY_BYTES {
        return None;
    }
    let host = match to.port {
        443 => to.host.clone(),
        port => format!("{}:{port}", to.host),
    };
    let mut octets = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Sekisho\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\
         Sekisho-Timestamp: {timestamp}\r\nSekisho-Signature: v1={}\r\n\r\n",
        to.path,
        body.len(),
        HEXLOWER.encode(signature),
    )
    .into_bytes();
    octets.extend_from_slice(body);
    Some(Request { host: to.host.clone(), octets, limit: THANKS_BYTES })
}

/// A name with a dot in it, and no address: certificates are for names.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_part)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= HOST_BYTES
        && host.contains('.')
        && host.split('.').all(is_label)
        && !last.bytes().all(|octet| octet.is_ascii_digit())
}

fn is_path(path: &str) -> bool {
    let is_part = |octet: u8| octet.is_ascii_graphic() && octet != b'#';
    path.starts_with('/') && path.len() <= PATH_BYTES && path.bytes().all(is_part)
}

fn is_type(content_type: &str) -> bool {
    let is_part = |octet: u8| matches!(octet, b' '..=b'~');
    (1..=TYPE_BYTES).contains(&content_type.len()) && content_type.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::request;
    use wire::fetch::Ask;

    #[test]
    fn what_can_be_asked() {
        let check = |host: &str, path: &str, is_one: bool| {
            let ask = Ask::Get { host: host.to_owned(), path: path.to_owned(), limit: 10 };
            assert_eq!(request(&ask).is_some(), is_one, "{host} {path}");
        };
        check("mta-sts.example.jp", "/.well-known/mta-sts.txt", true);
        check("a.b", "/?x=1", true);
        for host in ["localhost", "192.0.2.1", "[::1]", "", ".", "a..b", "a.b:80", "a.b\r\nX: y"] {
            check(host, "/", false);
        }
        for path in ["", "x", "/ x", "/\r\nX: y", "/#a", "/\u{e9}"] {
            check("a.b", path, false);
        }
    }

    #[test]
    fn what_is_handed_up() {
        let post = |content_type: &str| Ask::Post {
            host: "a.b".to_owned(),
            path: "/up".to_owned(),
            content_type: content_type.to_owned(),
            body: b"{}".to_vec(),
        };
        let made = request(&post("application/json")).unwrap();
        assert!(made.octets.starts_with(b"POST /up HTTP/1.1\r\nHost: a.b\r\n"));
        let end = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        assert!(made.octets.ends_with(end));
        assert_eq!(request(&post("x\r\nHost: y")), None);
    }
}
