//! What a compartment's main function is given: its control channel and what it was told.

use crate::birth::CONTROL;
use crate::fence::Grounds;
use crate::filter::Prepared;
use crate::walls::Wall;
use crate::zygote::{self, Forked};
use crate::{Fault, jail, plain, signals};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Start};
use wire::{Channel, Frame, Hub, Label, Peer, charter};

/// How long a newborn waits for its first frame: the warden sends it before or at birth.
const BEGIN_LIMIT: Duration = Duration::from_secs(10);
/// Orders put aside while a certain one is waited for.
const MAX_KEPT: usize = 64;
/// Instances alive at once below one zygote.
const MAX_INSTANCES: usize = 4096;

/// A compartment's control channel and its first orders.
pub struct House {
    /// To and from the warden.
    pub control: Channel,
    /// What the warden told.
    pub start: Start,
    /// Descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
    kept: VecDeque<(Order, Vec<OwnedFd>)>,
}

impl House {
    /// Reads the first frame from the control channel, descriptor 3.
    ///
    /// # Errors
    /// `Fault::Channel` when there is no such channel or no `Begin` on it.
    pub fn begin() -> Result<House, Fault> {
        // SAFETY: descriptor 3 was put there by our birth for this process, and this function is
        // the only one that takes it; called twice, the second fails on the missing frame.
        let control = unsafe { plain::adopt(CONTROL) };
        plain::close_at_exec(control.as_fd());
        wire::on_crowding(plain::tell_of_crowding);
        House::begin_on(control.into())
    }

    /// As [`House::begin`], on a channel in hand (instances, tests).
    ///
    /// # Errors
    /// As [`House::begin`].
    pub fn begin_on(control: Channel) -> Result<House, Fault> {
        let frame = control.receive(Some(BEGIN_LIMIT))?;
        let Order::Begin(start) = frame.read()? else {
            return Err(Fault::NoBeginning);
        };
        let descriptors = frame.descriptors;
        Ok(House { control, start, descriptors, kept: VecDeque::new() })
    }

    /// The compartment's kind, as the warden calls it.
    ///
    /// # Errors
    /// `Fault::NoBeginning` when the word is none of ours.
    pub fn kind(&self) -> Result<Kind, Fault> {
        Kind::parse(&self.start.kind_word).ok_or(Fault::NoBeginning)
    }

    /// Raises the walls: after the own files are open, before anything foreign is read. The
    /// listener goes up to the warden, with the names of the walls that are missing.
    ///
    /// # Errors
    /// `Fault`: do not go on without walls.
    pub fn jail(&mut self) -> Result<(), Fault> {
        let kind = self.kind()?;
        let entered = jail::enter(kind.word(), &self.grounds(kind))?;
        self.tell_jailed(&entered.missing, entered.listener)
    }

    fn grounds(&self, kind: Kind) -> Grounds<'_> {
        let charter = charter(kind);
        let has_folder = charter.is_some_and(|charter| charter.has_folder);
        let own_folder = self.start.folder.as_deref().filter(|_| has_folder).map(Path::new);
        let memory_bytes = charter.map_or(0, |charter| charter.memory_mib << 20);
        Grounds { own_folder, memory_bytes, ..Grounds::default() }
    }

    fn tell_jailed(&self, missing: &[Wall], listener: Option<OwnedFd>) -> Result<(), Fault> {
        let missing_walls = missing.iter().map(Wall::to_string).collect();
        let listener: Vec<OwnedFd> = listener.into_iter().collect();
        self.report(&Report::Jailed { missing_walls }, &listener)
    }

    /// Serving from now on; keys as [`Report::Ready`] says.
    ///
    /// # Errors
    /// `Fault::Channel` when the warden is gone.
    pub fn ready(&self, author: Option<[u8; 32]>, public: Option<[u8; 32]>) -> Result<(), Fault> {
        self.report(&Report::Ready { author, public }, &[])
    }

    /// Tells the warden something.
    ///
    /// # Errors
    /// `Fault::Channel` when the warden is gone.
    pub fn report(&self, report: &Report, descriptors: &[OwnedFd]) -> Result<(), Fault> {
        Ok(self.control.send(0, report, descriptors)?)
    }

    /// Seats the control channel in a hub, labelled as the warden, and hands out the rest.
    ///
    /// # Errors
    /// `Fault::Channel` when the kernel refuses.
    pub fn seat_control(self, hub: &mut Hub) -> Result<(Peer, Start), Fault> {
        let instance = InstanceId::default();
        let label = Label { instance, kind: Kind::Warden, person: None };
        Ok((hub.seat(self.control, label)?, self.start))
    }

    /// The next channel to a peer of kind `wanted`; joins of other kinds are kept for later
    /// calls. `Stop` while waiting is a fault: leave.
    ///
    /// # Errors
    /// `Fault::Stopped` on `Stop`, `Fault::Channel` when the warden is gone or silent.
    pub fn next_join(&mut self, wanted: Kind, limit: Duration) -> Result<(Channel, Label), Fault> {
        self.next_join_of(&[wanted], limit)
    }

    /// The same, to a peer of any of these kinds.
    ///
    /// # Errors
    /// As [`House::next_join`].
    pub fn next_join_of(
        &mut self,
        wanted: &[Kind],
        limit: Duration,
    ) -> Result<(Channel, Label), Fault> {
        let until = Instant::now() + limit;
        if let Some(found) = self.kept_join(wanted) {
            return Ok(found);
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let frame = self.control.receive(Some(left))?;
            self.keep(frame)?;
            if let Some(found) = self.kept_join(wanted) {
                return Ok(found);
            }
        }
    }

    /// The next order that was kept aside or is there now, without waiting.
    ///
    /// # Errors
    /// `Fault::Channel` when the warden is gone.
    pub fn next_order(&mut self) -> Result<Option<(Order, Vec<OwnedFd>)>, Fault> {
        if let Some(kept) = self.kept.pop_front() {
            return Ok(Some(kept));
        }
        let Some(frame) = self.control.take()? else {
            return Ok(None);
        };
        let order = frame.read()?;
        Ok(Some((order, frame.descriptors)))
    }

    /// Whether an order was kept aside, of which the control channel says nothing any more.
    pub fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    fn keep(&mut self, frame: Frame) -> Result<(), Fault> {
        let order: Order = frame.read()?;
        if matches!(order, Order::Stop) {
            return Err(Fault::Stopped);
        }
        if self.kept.len() < MAX_KEPT {
            self.kept.push_back((order, frame.descriptors));
        }
        Ok(())
    }

    fn kept_join(&mut self, wanted: &[Kind]) -> Option<(Channel, Label)> {
        let is_wanted = |(order, fds): &(Order, Vec<OwnedFd>)| {
            matches!(order, Order::Join(label) if wanted.contains(&label.kind)) && fds.len() == 1
        };
        let place = self.kept.iter().position(is_wanted)?;
        match self.kept.remove(place)? {
            (Order::Join(label), mut fds) => Some((fds.pop()?.into(), label)),
            _ => None,
        }
    }
}

/// The whole life of a zygote: jail itself, then fork one instance per `Fork` order. In each
/// child `serve` is called, jailed, with a house of its own. Returns when the warden is gone or
/// says stop and no instance is left.
pub fn zygote_main(serve: fn(House) -> ExitCode) -> ExitCode {
    prepared_zygote_main(|| (), serve)
}

/// The same, for instances that would each make the same things anew, tables and what their
/// processor can do: `prepare` makes them in the zygote, and each fork has them. It draws nothing
/// random, or forks would have drawn the same.
pub fn prepared_zygote_main(prepare: fn(), serve: fn(House) -> ExitCode) -> ExitCode {
    match live_as_zygote(prepare, serve) {
        Ok(code) => code,
        // Its end of the control channel is the lifeline: no warden, no zygote.
        Err(Fault::Channel(wire::Fault::Gone | wire::Fault::Unread)) => ExitCode::SUCCESS,
        Err(fault) => {
            crate::tell(format_args!("sekisho: a zygote ends: {fault}"));
            ExitCode::from(3)
        }
    }
}

struct Child {
    pid: i32,
    instance: InstanceId,
}

fn live_as_zygote(prepare: fn(), serve: fn(House) -> ExitCode) -> Result<ExitCode, Fault> {
    let mut house = House::begin()?;
    let kind = house.kind()?;
    let calls = Prepared::of(kind.word())?;
    plain::look_at_processor();
    signals::hear_ends()?;
    let missing = zygote::enter_zygote(kind.word(), &house.grounds(kind))?;
    house.tell_jailed(&missing, None)?;
    prepare();
    house.ready(None, None)?;
    let mut children: Vec<Child> = Vec::new();
    let mut stopping = false;
    loop {
        if stopping && children.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        // An end interrupts the wait as soon as no order is left. Asked about oftener, the kernel
        // would look through all children for each of them that is born.
        if !signals::wait_with_ends(&house.control)? {
            report_ended(&house, &mut children)?;
            continue;
        }
        let Some((order, mut fds)) = house.next_order()? else {
            continue;
        };
        match order {
            Order::Stop => stopping = true,
            Order::Fork(instance) if children.len() < MAX_INSTANCES => {
                let Some(own) = fds.pop() else { continue };
                match zygote::fork_instance()? {
                    // The warden's alone: a child would have to close those of all its siblings.
                    Forked::Zygote { pid, pidfd } => {
                        house.report(&Report::Born(instance), &[pidfd])?;
                        children.push(Child { pid, instance });
                    }
                    Forked::Instance => {
                        drop((house, children, fds));
                        plain::leave(live_as_instance(kind, (instance, own), &calls, serve))
                    }
                }
            }
            _ => {}
        }
    }
}

fn report_ended(house: &House, children: &mut Vec<Child>) -> Result<(), Fault> {
    while let Some((pid, status)) = zygote::reap() {
        if let Some(place) = children.iter().position(|child| child.pid == pid) {
            let child = children.swap_remove(place);
            house.report(&Report::Ended { instance: child.instance, status }, &[])?;
        }
    }
    Ok(())
}

/// The forked child: its own control channel, its own walls, then its work.
fn live_as_instance(
    kind: Kind,
    named: (InstanceId, OwnedFd),
    calls: &Prepared,
    serve: fn(House) -> ExitCode,
) -> ExitCode {
    match settle_instance(kind, named, calls) {
        Ok(house) if crate::drill::has_program(&house) => crate::drill::become_program(house, ""),
        Ok(house) => serve(house),
        Err(fault) => {
            crate::tell(format_args!(
                "sekisho {}: an instance could not settle: {fault}",
                kind.word()
            ));
            ExitCode::from(3)
        }
    }
}

fn settle_instance(
    kind: Kind,
    (instance, own): (InstanceId, OwnedFd),
    calls: &Prepared,
) -> Result<House, Fault> {
    let control = zygote::place(own, CONTROL)?;
    wire::on_crowding(plain::tell_of_crowding);
    let house = House::begin_on(control.into())?;
    let grounds = house.grounds(kind);
    let entered = zygote::become_instance(calls, &instance.to_string(), &grounds)?;
    house.tell_jailed(&entered.missing, entered.listener)?;
    Ok(house)
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds by a clock that nobody sets, and that goes on while the machine sleeps. What lasts
/// a stretch of time ends by it, whatever becomes of the date.
pub fn steady_ms() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // By libc, whose start found the kernel's page for it before the walls: rustix would look for
    // that page now, by calls that no charter knows.
    // SAFETY: `now` is a timespec of ours; the call writes it and keeps nothing.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) } != 0 {
        // Not reached: every kernel that we run on has this clock. What lasts is over, then.
        return u64::MAX;
    }
    let whole = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000);
    whole.saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000)
}

/// Bytes from the kernel: no generator lives in a process, so no fork can repeat one.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: `rest` is that many writable bytes.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => filled += count,
            Err(_) if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            // Without chance there are no keys: nothing may go on.
            Err(_) => std::process::abort(),
        }
    }
    bytes
}
