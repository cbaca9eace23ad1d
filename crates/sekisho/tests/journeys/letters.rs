//! Letters that can be told apart, and what stands in a mailbox afterwards.

/// A letter with this subject and this text.
pub fn letter(subject: &str, text: &str) -> Vec<u8> {
    format!(
        "From: Carol <carol@sender.example>\r\nTo: aoi@example.jp\r\nSubject: {subject}\r\n\
         Date: Sun, 22 Nov 2026 10:00:00 +0900\r\nMessage-ID: <{}@sender.example>\r\n\r\n{text}\r\n",
        subject.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
    )
    .into_bytes()
}

/// What is kept of it: our own fields on top, then octet for octet what came.
pub fn is_whole(kept: &[u8], sent: &[u8]) -> bool {
    let Some(added) = kept.strip_suffix(sent) else { return false };
    let text = String::from_utf8_lossy(added);
    let is_field = |line: &str| line.starts_with([' ', '\t']) || line.contains(':');
    added.ends_with(b"\r\n") && text.lines().all(is_field)
}

/// Like `assert!(is_whole())`, with both in the message.
pub fn assert_whole(kept: &[u8], sent: &[u8]) {
    assert!(
        is_whole(kept, sent),
        "kept:\n{}\nsent:\n{}",
        String::from_utf8_lossy(kept),
        String::from_utf8_lossy(sent)
    );
}
