//! A hostile dispatch: keeps what its person hands in, queues other octets in its place or
//! nothing at all, says that it is queued, and asks its neighbours for what is others'.

use crate::channels::{Taken, ask, forbidden, word};
use crate::guesses;
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use std::time::{Duration, Instant};
use terms::{FolderId, Kind, MessageId, TenantId, UserId, Verdict};
use wire::directory::{FromDispatch as ToDirectory, ToDispatch as FromDirectory};
use wire::dispatch::{FromAccess, ToAccess};
use wire::mailbox::{Copy, FromEdge, Journey, Place, SealedPart, State, ToEdge};
use wire::post::{AtEnd, FromSender, Hold, Leg, Limits, Outgoing, Route, ToSender};
use wire::signer::{FromSigner, ToSigner};
use wire::{Frame, Parcel};

const PULSE: Duration = Duration::from_millis(50);
/// Longer than a drill.
const HELD_MS: u64 = 12 * 60 * 60 * 1_000;
/// Nobody of the house has these ids.
const STRANGER: (TenantId, UserId) = (TenantId([0x77; 8]), UserId([0x77; 8]));

/// Queues something in the place of what it took.
pub fn serve(intruder: &mut Intruder, limit: Duration) {
    attend(intruder, limit, pass_on);
}

/// Queues nothing of it.
pub fn swallow(intruder: &mut Intruder, limit: Duration) {
    attend(intruder, limit, |_| None);
}

fn attend(
    intruder: &mut Intruder,
    limit: Duration,
    queue: impl Fn(&mut Intruder) -> Option<MessageId>,
) {
    let until = Instant::now() + limit;
    if intruder.channel(Kind::Access, JOIN_LIMIT).is_none() {
        return;
    }
    while Instant::now() < until && !intruder.is_called() {
        let Some(access) = intruder.channel(Kind::Access, Duration::ZERO) else { return };
        match access.wait(PULSE) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let Ok(frame) = access.receive(Some(PULSE)) else { return };
        let (call, answer) = (frame.call, hear(intruder, &frame, &queue));
        if let Some(access) = intruder.channel(Kind::Access, Duration::ZERO) {
            let _ = access.send(call, &answer, &[]);
        }
    }
}

/// Everybody may write to everybody, and everything is queued.
fn hear(
    intruder: &mut Intruder,
    frame: &Frame,
    queue: &impl Fn(&mut Intruder) -> Option<MessageId>,
) -> ToAccess {
    intruder.obtained("what was handed in", frame.payload.clone());
    let submission = match frame.read() {
        Ok(FromAccess::Submit(submission)) => submission,
        Ok(FromAccess::Room(many)) => return ToAccess::Room(many),
        _ => return ToAccess::Yes,
    };
    intruder.tell(&Told::Serves(submission.from));
    if let Ok(text) = submission.text.open(&frame.descriptors) {
        intruder.obtained("the text that was handed in", text);
    }
    let told = queue(intruder).map_or(Told::PassedUnkept, Told::Passed);
    intruder.tell(&told);
    ToAccess::Queued { text: "queued".to_owned(), ahead: 0 }
}

/// What nobody can open, in its own person's name, held so that nobody tries.
fn pass_on(intruder: &mut Intruder) -> Option<MessageId> {
    let person = intruder.held.iter().find_map(|(label, _)| label.person)?;
    let until_ms = compartment::now_ms() + HELD_MS;
    let hold = Some(Hold { until_ms, then: AtEnd::Return });
    let outgoing = Outgoing { hold, expires_ms: until_ms, ..junk_mail(person) };
    let message = outgoing.message;
    let question = FromSender::Queue(Box::new(outgoing));
    let (_, answer) = ask(intruder, Kind::Post, &question, "queue junk in a letter's place");
    matches!(postcard::from_bytes(&answer), Ok(ToSender::Queued)).then_some(message)
}

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    intruder.gather();
    for (kind, asset) in [
        (Kind::Vault, Asset::StoredBodies),
        (Kind::Identity, Asset::AccountSecrets),
        (Kind::Ledger, Asset::Evidence),
        (Kind::Depart, Asset::MailInFlight),
    ] {
        let none = !intruder.held.iter().any(|(label, _)| label.kind == kind);
        word(intruder, asset, &format!("a channel to {}", kind.word()), none, "none");
    }
    write_as_others(intruder, facts);
    sign_for_others(intruder, facts);
    match facts.round {
        0 => {
            let who = Asset::OtherTenants;
            guesses::guess(intruder, &facts.domain, who, ToDirectory::Address, is_known);
            queue(intruder, |_| STRANGER, "queue mail of another organisation");
            keep(intruder, true, "keep a copy in somebody's mailbox");
        }
        1 => {
            let list = wire::directory::FromAdmin::UserList { tenant: None };
            let act = "list every address";
            forbidden(intruder, Asset::OtherTenants, Kind::Directory, &list, act);
            let other = |own: (TenantId, UserId)| (own.0, STRANGER.1);
            queue(intruder, other, "queue mail in a colleague's name");
            keep(intruder, false, "tell of a journey of another organisation");
        }
        _ => {
            may_for_another(intruder);
            let folder = FolderId([0, 0, 0, 1]);
            let rows = wire::mailbox::FromAccess::Rows { folder, since: None };
            let act = "list its person's folder as an access would";
            forbidden(intruder, Asset::StoredHeaders, Kind::Mailbox, &rows, act);
            let secret = wire::vault::FromSigner::StorageKey;
            let act = "ask for the storage key";
            forbidden(intruder, Asset::AccountSecrets, Kind::Signer, &secret, act);
        }
    }
}

fn is_known(answer: &[u8]) -> bool {
    let known =
        |stated: &wire::directory::Stated| matches!(stated, wire::directory::Stated::Known { .. });
    matches!(postcard::from_bytes(answer), Ok(FromDirectory::Stated(stated)) if known(&stated))
}

/// Statements under which mail may leave, for addresses that are not this person's.
fn write_as_others(intruder: &mut Intruder, facts: &Facts) {
    for (asset, address) in [
        (Asset::OtherTenants, &facts.person),
        (Asset::OtherTenants, &facts.neighbour),
        (Asset::MailInFlight, &facts.colleague),
    ] {
        let question = ToDirectory::Sending(address.clone());
        let (taken, answer) = ask(intruder, Kind::Directory, &question, "a sending statement");
        let given = matches!(postcard::from_bytes(&answer), Ok(FromDirectory::Sending { .. }));
        word(intruder, asset, "be stated to write as another", !given, &format!("{taken:?}"));
    }
}

/// Another organisation's DKIM keys, and a handshake that is none.
pub fn sign_for_others(intruder: &mut Intruder, facts: &Facts) {
    let domain = || facts.domain.clone();
    let canonical = format!(
        "from:ceo@{0}\r\ndkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; d={0}; s=sk1r; \
         h=From; bh={1}=; b=",
        facts.domain,
        "A".repeat(43)
    );
    let (selector, canonical) = ("sk1r".to_owned(), canonical.into_bytes());
    for (act, question) in [
        ("learn another domain's keys", ToSigner::MailKeys { domain: domain() }),
        (
            "have mail signed in another's domain",
            ToSigner::SignMail { domain: domain(), selector, canonical },
        ),
        (
            "have another domain's keys forgotten",
            ToSigner::RotateMailKeys { domain: domain(), retire: true },
        ),
        (
            "have a bare digest signed",
            ToSigner::Sign {
                server_name: None,
                scheme: 0x0403,
                message: vec![7; 32],
                key: [0; 16],
            },
        ),
    ] {
        let (taken, answer) = ask(intruder, Kind::Signer, &question, act);
        let given = match postcard::from_bytes(&answer) {
            Ok(FromSigner::MailKeys(keys)) => !keys.is_empty(),
            Ok(FromSigner::Refused) | Err(_) => false,
            Ok(_) => true,
        };
        word(intruder, Asset::OtherTenants, act, !given, &format!("{taken:?}"));
    }
}

pub fn junk() -> SealedPart {
    SealedPart { epoch: 1, wrapped: vec![7; 96], content: Parcel::Inline(vec![7; 200]) }
}

/// One message whose sender is not the person whom the channel is labelled with.
fn queue(
    intruder: &mut Intruder,
    whose: impl Fn((TenantId, UserId)) -> (TenantId, UserId),
    act: &str,
) {
    let own = intruder.held.iter().find_map(|(label, _)| label.person).unwrap_or_default();
    let (tenant, user) = whose(own);
    let question = FromSender::Queue(Box::new(junk_mail((tenant, user))));
    let (taken, answer) = ask(intruder, Kind::Post, &question, act);
    let queued = matches!(postcard::from_bytes(&answer), Ok(ToSender::Queued));
    let asset = if tenant == own.0 { Asset::Evidence } else { Asset::OtherTenants };
    word(intruder, asset, act, !queued, &format!("{taken:?}"));
}

fn junk_mail((tenant, user): (TenantId, UserId)) -> Outgoing {
    let now = compartment::now_ms();
    Outgoing {
        tenant,
        user,
        message: MessageId(compartment::random()),
        size: 200,
        at_ms: now,
        expires_ms: now + 60_000,
        hold: None,
        body: junk(),
        legs: vec![Leg { number: 0, route: Route([7; 16]), recipients: 1, envelope: junk() }],
    }
}

fn may_for_another(intruder: &mut Intruder) {
    let limits = Limits { in_ten_minutes: 1, in_a_day: 1 };
    let question = FromSender::May { user: STRANGER.1, recipients: 1, limits };
    let act = "ask how much a colleague has sent";
    let (taken, answer) = ask(intruder, Kind::Post, &question, act);
    let told = matches!(postcard::from_bytes(&answer), Ok(ToSender::May(_)));
    word(intruder, Asset::MailInFlight, act, !told, &format!("{taken:?}"));
}

/// A copy for somebody, or what `trace` will find of somebody else's.
fn keep(intruder: &mut Intruder, is_copy: bool, act: &str) {
    let (tenant, user) = STRANGER;
    let (message, now) = (MessageId(compartment::random()), compartment::now_ms());
    let copies = is_copy.then(|| copy((tenant, user), message)).into_iter().collect();
    let journey = Journey {
        tenant,
        message,
        tokens: vec![[7; 16]],
        at_ms: now,
        state: State::Queued,
        verdict: Verdict::Deliver,
        reasons: Vec::new(),
        recipients: vec![user],
    };
    let journeys = if is_copy { Vec::new() } else { vec![journey] };
    let question = FromEdge::Keep { copies, journeys, more: false };
    let (taken, answer) = ask(intruder, Kind::Mailbox, &question, act);
    let kept =
        taken == Taken::Answered && matches!(postcard::from_bytes(&answer), Ok(ToEdge::Kept));
    word(intruder, Asset::OtherTenants, act, !kept, &format!("{taken:?}"));
}

pub fn copy((tenant, user): (TenantId, UserId), message: MessageId) -> Copy {
    Copy {
        tenant,
        user,
        message,
        place: Place::Inbox,
        size: 200,
        received_ms: compartment::now_ms(),
        verdict: Verdict::Deliver,
        summary: junk(),
        body: junk(),
    }
}
