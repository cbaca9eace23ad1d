//! One spelling for one address.

/// The longest address that is looked up (RFC 5321 §4.5.3.1: 64 + 1 + 255).
pub const ADDRESS_BYTES: usize = 320;

/// Folded (`smtp::Address::folded`), without the detail behind `+`, and `postmaster` without a
/// domain completed; in quotes only where the grammar needs them (RFC 5321 §4.1.2).
///
/// Local parts are case-sensitive in RFC 5321 §2.4 and nowhere else; we own these domains and
/// treat them as insensitive. Where a row may be kept in an older spelling, ask for
/// `Tables::kept_spelling`.
pub fn canonical(address: &str, host_name: &str) -> String {
    let spoken = spoken(address, host_name);
    if spoken.is_ascii() {
        return spoken;
    }
    let folded = smtp::Address::parse(&spoken).and_then(|read| read.folded());
    match folded.and_then(|folded| folded.split_tag().0.in_the_dns()) {
        Some(plain) => plain.written(),
        None => spoken,
    }
}

/// An address that is kept, or held against others: no tag is split off.
pub fn folded(address: &str) -> String {
    let address = address.trim();
    let Some((local, domain)) = address.rsplit_once('@') else {
        return terms::folded_local(address);
    };
    format!("{}@{}", terms::folded_local(local), terms::ascii_name(&terms::mapped_name(domain)))
}

/// The same as it was written, in small letters.
pub fn spoken(address: &str, host_name: &str) -> String {
    let address = address.trim();
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, host_name));
    let local = local.to_lowercase();
    if local.starts_with('"') {
        return match smtp::Address::parse(address) {
            Some(read) => read.split_tag().0.in_small_letters().written(),
            None => format!("{local}@{}", domain.to_lowercase()),
        };
    }
    let plain = match local.split_once('+') {
        Some((plain, _)) if !plain.is_empty() => plain,
        _ => &local,
    };
    format!("{plain}@{}", terms::ascii_name(&terms::mapped_name(domain)))
}

/// The same of an address as it is typed.
pub fn is_address(typed: &str) -> bool {
    is_sound(&folded(typed))
}

/// Whether an address in the folded spelling may be given to a person.
pub fn is_sound(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_sound_local = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '\'' | '&' | '=' | '/' | '!')
        });
    address.len() <= ADDRESS_BYTES && is_sound_local && is_sound_domain(domain)
}

/// Whether a name may be a domain of ours: labels of letters, digits and hyphens, two at least.
pub fn is_sound_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

/// Why a name cannot be a domain of ours, as `domain add` takes it; what is expected instead, and
/// a hint. Letters beyond ASCII are taken as their A-labels.
pub fn domain_to_be(typed: &str) -> Result<String, (&'static str, &'static str)> {
    let domain = terms::dns_name(typed);
    if !is_sound_domain(&domain) {
        let hint = "such as example.jp, 例え.jp or xn--….jp";
        return Err(("a domain name with two labels or more", hint));
    }
    // RFC 1123 §2.1: by its last label a name is told from an address.
    if domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|it| it.is_ascii_digit())) {
        let hint = "mail is for domains; an address of the network is none";
        return Err(("a domain name, whose last label is no number", hint));
    }
    match domain.split('.').all(terms::is_right_label) {
        true => Ok(domain),
        false => {
            let hint = "write the name in its own letters, such as 例え.jp, or copy its A-labels";
            Err(("labels whose `xn--` stands for a name (RFC 5891)", hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, domain_to_be, folded, is_address, is_sound_domain};

    #[test]
    fn a_domain_to_be_is_a_name_that_somebody_can_have() {
        let is = |typed: &str, name: &str| assert_eq!(domain_to_be(typed), Ok(name.to_owned()));
        is("Example.JP.", "example.jp");
        is("例え.テスト", "xn--r8jz45g.xn--zckzah");
        is("xn--r8jz45g.xn--zckzah", "xn--r8jz45g.xn--zckzah");
        is("3.example", "3.example");
        for none in ["1.2.3.4", "example.1", "xn--a.example", "xn--zzzzzzz99.example"] {
            assert!(domain_to_be(none).is_err(), "{none}");
        }
        // Plain letters have no other spelling, and capitals none of their own.
        for none in ["xn--example-.jp", "xn--.jp", "example", ""] {
            assert!(domain_to_be(none).is_err(), "{none}");
        }
    }

    #[test]
    fn addresses_have_one_spelling() {
        let check = |from: &str, to: &str| assert_eq!(canonical(from, "mx.example"), to);
        check("Aoi@Example.JP", "aoi@example.jp");
        check("aoi+news@example.jp", "aoi@example.jp");
        check("葵@ｅｘａｍｐｌｅ。ｊｐ", "葵@example.jp");
        check("aoi@例え.テスト", "aoi@xn--r8jz45g.xn--zckzah");
        check("+aoi@example.jp", "+aoi@example.jp");
        check("Postmaster", "postmaster@mx.example");
        check(" a@b.example ", "a@b.example");
        check("\"Aoi\"@Example.JP", "aoi@example.jp");
        check("\"Aoi+News\"@Example.JP", "aoi@example.jp");
        check("\"Aoi T\"@Example.JP", "\"aoi t\"@example.jp");
        check("\"a\\i@b\"@example.jp", "\"ai@b\"@example.jp");
        check("\"+a b\"@example.jp", "\"+a b\"@example.jp");
        check("ｔａｒｏ＋ｘ@example.jp", "taro@example.jp");
        check("た\u{3099}@example.jp", "だ@example.jp");
        check("ＰＯＳＴＭＡＳＴＥＲ@example.jp", "postmaster@example.jp");
        check("ÉMILE@example.jp", "émile@example.jp");
        // A wide sign makes no other address: it is nobody's.
        check("aoi＠evil.example@example.jp", "aoi＠evil.example@example.jp");
        check("aoi．@example.jp", "aoi．@example.jp");
        assert_eq!(folded(" ＡＯＩ＋ｘ@例え。テスト"), "aoi+x@xn--r8jz45g.xn--zckzah");
    }

    #[test]
    fn only_sound_addresses_are_given_out() {
        let check =
            |address: &str, sound: bool| assert_eq!(is_address(address), sound, "{address}");
        check("た\u{3099}@example.jp", true);
        check("ｔａｒｏ＋ｘ@example.jp", false);
        check("taro＠evil.example@example.jp", false);
        check("taro．@example.jp", false);
        check("taro。x@example.jp", false);
        check("aoi@example.jp", true);
        check("葵@example.jp", true);
        check("aoi+x@example.jp", false);
        check("aoi@example", false);
        check("a b@example.jp", false);
        check(".a@example.jp", false);
        check("a..b@example.jp", false);
        check("@example.jp", false);
        check("a@-x.jp", false);
        assert!(!is_sound_domain("exa_mple.jp"));
    }
}
