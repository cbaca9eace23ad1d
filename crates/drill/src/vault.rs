//! A hostile vault: opens what a thief of disks brings, with the keys that it holds, and takes the
//! sign-ins that it keeps.

use crate::access::sealed_class;
use crate::intruder::Intruder;
use crate::report::{Sealed, Told};
use open::Place;

/// No grant, no budget, no entry in the ledger.
pub fn open_stolen(intruder: &mut Intruder, sealed: &[Sealed]) {
    let Some(mut opener) = intruder.opener.take() else { return };
    for credential in opener.credentials.drain(..) {
        intruder.obtained("a sign-in that the vault keeps", credential);
    }
    for one in sealed {
        let (tenant, message, class) = (one.tenant, one.message, sealed_class(one.class));
        let Some(key) = (opener.open)(one) else { continue };
        if let Ok(plain) = open::open_content(&key, &Place { tenant, message, class }, &one.content)
        {
            intruder.obtained("opened with the vault's keys", plain);
            intruder.tell(&Told::Passed(message));
        }
    }
    intruder.opener = Some(opener);
}
