//! The grammar of addresses and paths.

use super::check;
use crate::Address;

#[test]
fn addresses_are_read_by_the_grammar() {
    let long = "a".repeat(64);
    let domain =
        format!("{}.{}.{}.{}", "d".repeat(63), "d".repeat(63), "d".repeat(63), "d".repeat(63));
    let good = [
        ("aoi@example.jp", "aoi@example.jp"),
        ("Aoi@EXAMPLE.jp", "Aoi@example.jp"),
        ("a.b+c@example.jp", "a.b+c@example.jp"),
        ("!#$%&'*+-/=?^_`{|}~@e.jp", "!#$%&'*+-/=?^_`{|}~@e.jp"),
        ("\"a b\"@example.jp", "\"a b\"@example.jp"),
        ("\"aoi\"@example.jp", "aoi@example.jp"),
        ("\"a\\\"b\\\\c\"@example.jp", "\"a\\\"b\\\\c\"@example.jp"),
        ("\"a@b\"@example.jp", "\"a@b\"@example.jp"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]"),
        ("あおい@例え.jp", "あおい@例え.jp"),
        ("a@x", "a@x"),
        ("a@1.2", "a@1.2"),
    ];
    for (text, written) in good {
        let address = Address::parse(text).unwrap_or_else(|| panic!("{text} is refused"));
        assert_eq!(address.written(), written);
    }
    assert!(Address::parse(&format!("{long}@example.jp")).is_some());
    assert!(Address::parse(&format!("a@{domain}")).is_some());
    let bad = [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a@b.",
        "a@.b",
        "a@b..c",
        "a@-b",
        "a@b-",
        "a@b_c",
        "\"a@b",
        "a\"@b",
        "a@[300.1.1.1]",
        "a@[1.2.3]",
        "a@[IPv6:zz]",
        "a@[tag:x]",
        "a@[1.2.3.4",
        "a@b\r\n",
        "a\0@b",
        "a@b\u{3002}\u{ff0e}jp",
        "a@\u{ff0d}b.jp",
        "a@b\u{ff20}c.jp",
        "a@b\u{ff0f}c.jp",
        "a@b\u{3000}c.jp",
        "a@b\u{202e}c.jp",
        "<a@b>",
        "\"a\nb\"@c",
        "a@b ",
        "a,b@c",
        "a\u{85}b@c",
        "a@b\u{200b}c d",
    ];
    for text in bad {
        assert!(Address::parse(text).is_none(), "{text:?} is taken");
    }
    assert!(Address::parse(&format!("{long}a@example.jp")).is_none());
    assert!(Address::parse(&format!("a@{domain}.d")).is_none());
    assert!(Address::parse(&format!("a@{}.jp", "d".repeat(64))).is_none());
}

#[test]
fn tags_case_and_postmaster() {
    let address = Address::parse("Aoi+News+2@Example.JP").unwrap();
    let (base, tag) = address.split_tag();
    assert_eq!((base.written().as_str(), tag), ("Aoi@example.jp", Some("News+2")));
    assert_eq!(address.folded().unwrap().local(), "aoi+news+2");
    assert_eq!(Address::parse("+x@a").unwrap().split_tag().1, None);
    assert!(Address::parse("PostMaster@a").unwrap().is_postmaster());
    assert_eq!(Address::parse("A@B"), Address::parse("\"A\"@b"));
    assert_ne!(Address::parse("A@b"), Address::parse("a@b"));
    assert_eq!(format!("{:?}", address), "Address(…)");
}

#[test]
fn a_mailbox_has_one_folded_spelling() {
    let folded = |typed: &str| Some(Address::parse(typed)?.folded()?.split_tag().0.written());
    for (typed, expected) in [
        ("Aoi@Example.JP", "aoi@example.jp"),
        ("ＡＯＩ．ｍｏｒｉ@example.jp", "aoi.mori@example.jp"),
        ("た\u{3099}@example.jp", "だ@example.jp"),
        ("ÉTÉ@example.jp", "été@example.jp"),
        ("E\u{301}te\u{301}@example.jp", "été@example.jp"),
        ("ｱｵｲ@example.jp", "アオイ@example.jp"),
        ("ｔａｒｏ＋ｎｅｗｓ@example.jp", "taro@example.jp"),
        ("taro+ｎｅｗｓ@example.jp", "taro@example.jp"),
        ("\"Ａ b\"@example.jp", "\"a b\"@example.jp"),
        ("＋a@example.jp", "+a@example.jp"),
        ("taro。x@example.jp", "taro。x@example.jp"),
    ] {
        assert_eq!(folded(typed).as_deref(), Some(expected), "{typed}");
        assert_eq!(folded(expected).as_deref(), Some(expected), "{typed}");
    }
    let long = format!("{}@example.jp", "㈱".repeat(20));
    for nobody_s in [
        "taro＠evil.example@example.jp",
        "taro．@example.jp",
        "．taro@example.jp",
        "a．．b@example.jp",
        "ta＂ro@example.jp",
        "ta＼ro@example.jp",
        "a＜b＞@example.jp",
        "ta，ro@example.jp",
        "\"a b＠c\"@example.jp",
        &long,
    ] {
        assert_eq!(folded(nobody_s), None, "{nobody_s}");
    }
}

#[test]
fn reverse_paths() {
    let from = |path: &str, expected: &str| {
        check(&format!("EHLO c\r\nMAIL FROM:{path}\r\n"), &["[hello c]", expected]);
    };
    from("<>", "[mail <>");
    from("<a@b.example>", "[mail a@b.example");
    from("<@r.example,@s.example:a@b.example>", "[mail a@b.example");
    from("<name.@docomo.example>", "[mail \"name.\"@docomo.example");
    from("<na..me@docomo.example>", "[mail \"na..me\"@docomo.example");
    from("<\"q u\"@b.example>", "[mail \"q u\"@b.example");
    for bad in [
        "a@b",
        " <a@b>",
        "<a@b",
        "a@b>",
        "<a>",
        "<a@b>>",
        "<<a@b>>",
        "<a@b> x@y",
        "<a@b>SIZE=1",
        "<@r:>",
        "<@r a@b>",
        "<postmaster>",
        "< a@b>",
        "<a@b >",
        "",
        "<a@b><c@d>",
    ] {
        from(bad, "50");
    }
    from("<aé@b.example>", "553 5.6.7");
    from("<aé@b.example> SMTPUTF8", "[mail aé@b.example");
    // What it is in is ASCII; what was sent is not.
    from("<a@ｂ．ｅｘａｍｐｌｅ>", "553 5.6.7");
    from("<a@ｂ．ｅｘａｍｐｌｅ> SMTPUTF8", "[mail a@b.example");
    from(&format!("<{}@{}.example>", "l".repeat(64), "d.".repeat(90)), "501 5.1.7");
    from(&format!("<@{}e:a@b.example>", "d.".repeat(125)), "501 5.1.7");
}

#[test]
fn forward_paths() {
    let to = |path: &str, expected: &str| {
        let begin = "EHLO c\r\nMAIL FROM:<>\r\n";
        check(&format!("{begin}RCPT TO:{path}\r\n"), &["[mail <>", "250 2.0.0", expected]);
    };
    to("<b@example.jp>", "[rcpt b@example.jp]");
    to("<Postmaster>", "[rcpt postmaster]");
    to("<@r.example:b@example.jp>", "[rcpt b@example.jp]");
    to("<b@[192.0.2.7]>", "[rcpt b@[192.0.2.7]]");
    to("<b@ｅｘａｍｐｌｅ。ｊｐ>", "553 5.6.7");
    for bad in ["<>", "<b.@example.jp>", "<b>", "b@c", " <b@c>", "<b@c d>"] {
        to(bad, "501 5.1.3");
    }
    to("<é@example.jp>", "553 5.6.7");
}

#[test]
fn parameters() {
    let mail = |words: &str, expected: &str| {
        check(&format!("EHLO c\r\nMAIL FROM:<a@b> {words}\r\n"), &["[hello c]", expected]);
    };
    mail("SIZE=4096", "[mail a@b Some(4096)]");
    mail("size=12 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By", "[mail a@b Some(12)]");
    mail("BODY=7BIT", "[mail a@b None]");
    mail("SIZE=4097", "552 5.3.4");
    mail("BODY=BINARYMIME", "555 5.6.1");
    mail("BODY=9BIT", "501 5.5.4");
    for bad in [
        "SIZE",
        "SIZE=",
        "SIZE=x",
        "SIZE=-1",
        "SIZE=+1",
        "SIZE=99999999999999999999",
        "SIZE=1 SIZE=1",
        "=",
        "RET=ALL",
        "ENVID=a=b",
        "ENVID=+4",
        "ENVID=+zz",
        "S_Z=1",
    ] {
        mail(bad, "501 5.5.4");
    }
    mail("AUTH=<>", "555 5.5.4");
    mail("SMTPUTF8=1", "555 5.5.4");
    mail("WHATEVER", "555 5.5.4");
    let rcpt = |words: &str, expected: &str| {
        let begin = "EHLO c\r\nMAIL FROM:<a@b>\r\n";
        check(&format!("{begin}RCPT TO:<c@d> {words}\r\n"), &["[mail", expected]);
    };
    rcpt("NOTIFY=NEVER", "[rcpt c@d]");
    rcpt("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;c+40d", "[rcpt c@d]");
    for bad in
        ["NOTIFY=NEVER,SUCCESS", "NOTIFY=", "NOTIFY", "ORCPT=rfc822", "ORCPT=;x", "ORCPT=a;="]
    {
        rcpt(bad, "501 5.5.4");
    }
    rcpt("SIZE=1", "555 5.5.4");
}
