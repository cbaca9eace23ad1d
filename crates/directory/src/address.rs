//! One spelling for one address.

/// The longest address that is looked up (RFC 5321 §4.5.3.1: 64 + 1 + 255).
pub const ADDRESS_BYTES: usize = 320;

/// Lower case, without the detail behind `+`, and `postmaster` without a domain completed; in
/// quotes only where the grammar needs them (RFC 5321 §4.1.2).
///
/// Local parts are case-sensitive in RFC 5321 §2.4 and nowhere else; we own these domains and
/// treat them as insensitive.
pub fn canonical(address: &str, host_name: &str) -> String {
    let address = address.trim();
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, host_name));
    let local = local.to_lowercase();
    if local.starts_with('"') {
        return match smtp::Address::parse(address) {
            Some(read) => read.split_tag().0.folded().written(),
            None => format!("{local}@{}", domain.to_lowercase()),
        };
    }
    let plain = match local.split_once('+') {
        Some((plain, _)) if !plain.is_empty() => plain,
        _ => &local,
    };
    format!("{plain}@{}", terms::ascii_name(&terms::mapped_name(domain)))
}

/// Whether an address may be given to a person.
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

#[cfg(test)]
mod tests {
    use super::{canonical, is_sound, is_sound_domain};

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
    }

    #[test]
    fn only_sound_addresses_are_given_out() {
        let check = |address: &str, sound: bool| assert_eq!(is_sound(address), sound, "{address}");
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
