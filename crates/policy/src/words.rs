//! The catalogue itself: id, Japanese, English.

pub(crate) const WORDS: &[(&str, &str, &str)] = &[(
    "auth.dmarc.pass",
    "差出人のドメイン {} は正当と確認されました",
    "the From domain {} is authentic",
)];
