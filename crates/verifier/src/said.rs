//! One thing to say, in English (for programs, too) and in Japanese.

use crate::words;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub english: String,
    pub japanese: String,
}

impl Said {
    pub fn new(english: impl Into<String>, japanese: impl Into<String>) -> Self {
        Self { english: english.into(), japanese: japanese.into() }
    }
}

/// Our own sentences.
impl From<String> for Said {
    fn from(english: String) -> Self {
        let japanese = in_japanese(&english);
        Self { english, japanese }
    }
}

impl From<&str> for Said {
    fn from(english: &str) -> Self {
        english.to_owned().into()
    }
}

fn in_japanese(what: &str) -> String {
    let japanese = match what {
        "a view cannot show that nothing was left out" => {
            "view だけでは、省かれた記録がないことは示せない"
        }
        "the ledger's key is believed as it lies here" => {
            "台帳の鍵は、ここにあるものをそのまま信じている"
        }
        "the mirror's key is believed as it lies here" => {
            "写しの鍵は、ここにあるものをそのまま信じている"
        }
        "there is no mirror's cosignature" => "写しの副署がない",
        "the ledger's key is not the one that was given" => "台帳の鍵が、与えられたものと違う",
        "the mirror's key is not the one that was given" => "写しの鍵が、与えられたものと違う",
        "without --seen it is not known whether more was here before" => {
            "--seen がないので、以前ここにもっと多くの記録があったかどうかは分からない"
        }
        "the mirror's saved checkpoint is empty or not there: nothing beside its log says how far \
         it had come" => {
            "写しの保存した checkpoint が空か、ない。どこまで進んでいたかを記録のほかに示すものがない"
        }
        "the mirror's saved checkpoint cannot be read: the file was altered or torn" => {
            "写しの保存した checkpoint が読めない。書き換えられたか、途中で切れている"
        }
        "the mirror's saved checkpoint is not signed by the ledger: the file was altered" => {
            "写しの保存した checkpoint に、台帳の正しい署名がない。ファイルが書き換えられている"
        }
        "the mirror's saved checkpoint is not cosigned by the mirror: the file was altered" => {
            "写しの保存した checkpoint に、写しの正しい副署がない。ファイルが書き換えられている"
        }
        "what was seen before holds no checkpoint that this log signed: somebody altered it" => {
            "以前に見たものが読めない。ファイルに checkpoint がなく、書き換えられている"
        }
        "there is no ML-DSA-44 key of the mirror" => "写しの ML-DSA-44 の鍵がない",
        "not checked: no ML-DSA-44 key given, and the mirror's cosignature with one is not \
         here" => {
            "確かめていない: ML-DSA-44 の鍵が与えられておらず、写しの ML-DSA-44 による副署もここにない"
        }
        "the mirror's ML-DSA-44 key is not the one that was given" => {
            "写しの ML-DSA-44 の鍵が、与えられたものと違う"
        }
        "the mirror's ML-DSA-44 key is believed as it lies here" => {
            "写しの ML-DSA-44 の鍵は、ここにあるものをそのまま信じている"
        }
        "the mirror has saved no checkpoint with ML-DSA-44 yet" => {
            "写しは ML-DSA-44 で副署した checkpoint をまだ保存していない"
        }
        "the mirror's ML-DSA-44 key cannot be read" => "写しの ML-DSA-44 の鍵が読めない",
        other => return lattice(other).map_or_else(|| words::in_japanese(other), str::to_owned),
    };
    japanese.to_owned()
}

fn lattice(what: &str) -> Option<&str> {
    Some(match what {
        "the checkpoint that the mirror cosigned with ML-DSA-44 cannot be read: the file was \
         altered or torn" => {
            "写しが ML-DSA-44 で副署した checkpoint が読めない。書き換えられたか、途中で切れている"
        }
        "the checkpoint that the mirror cosigned with ML-DSA-44 lacks a signature that is right: \
         the file was altered" => {
            "写しが ML-DSA-44 で副署した checkpoint に、正しい署名が揃っていない。書き換えられている"
        }
        "the checkpoint that the mirror cosigned with ML-DSA-44 does not stand in this log: it \
         was cut, or it is another" => {
            "写しが ML-DSA-44 で副署した checkpoint が、この記録にない。切り詰められたか、別の記録である"
        }
        _ => return None,
    })
}
