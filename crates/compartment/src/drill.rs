//! Drills only: replaces an instance's code by a foreign program inside the finished jail.

use crate::birth::CONTROL;
use crate::house::House;
use crate::{Fault, plain};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wire::control::Order;

/// Executes the program in `program` (a sealed memfd without close-on-exec is not needed: the
/// kernel has it open by then). Returns only when it fails: the warden lets this one call
/// continue in a drill, and denies it everywhere else.
pub fn exec_program(program: &OwnedFd, argv: &[CString], environment: &[CString]) -> Fault {
    let list = |words: &[CString]| {
        let mut list: Vec<*const libc::c_char> = words.iter().map(|word| word.as_ptr()).collect();
        list.push(std::ptr::null());
        list
    };
    let (argv, environment) = (list(argv), list(environment));
    let empty = c"";
    // SAFETY: both lists end in null and point at strings that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            empty.as_ptr(),
            argv.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Fault::refused("execute the drill's program")
}

/// Time in which the warden joins a drilled instance to its peers.
const JOINS_LIMIT: Duration = Duration::from_millis(500);

/// Recorded frames in words: they must fit one string of an environment.
const FRAMES_BYTES: usize = 100 * 1024;

/// Whether a drilled compartment was given a program: its descriptors are then, after what its kind
/// is always given, the channel on which it reports, frames recorded from real traffic (JSON), and
/// the program.
pub fn has_program(house: &House) -> bool {
    house.start.drill && house.descriptors.len() >= 3
}

/// The frames as they were written for us, or none.
fn recorded(frames: std::fs::File) -> String {
    use std::os::unix::fs::FileExt;
    let mut text = vec![0u8; FRAMES_BYTES];
    let count = frames.read_at(&mut text, 0).unwrap_or(0);
    text.truncate(count);
    let text = String::from_utf8(text).ok().filter(|text| text.ends_with('}'));
    text.unwrap_or_else(|| "{}".to_owned())
}

/// A drilled instance: gathers the channels that any instance of its kind gets, names them in
/// `SEKISHO_DRILL`, and becomes the program. Never reached but by a `Begin` with `drill`. `more` is
/// what else its kind holds, as JSON: `,"name":value`.
pub fn become_program(mut house: House, more: &str) -> ExitCode {
    let (Some(program), Some(frames)) = (house.descriptors.pop(), house.descriptors.pop()) else {
        return ExitCode::from(2);
    };
    let frames = recorded(frames.into());
    let instance = house.start.instance.to_string();
    let kind = house.start.kind_word.clone();
    let mut named = vec![format!("{{\"fd\":{CONTROL},\"peer\":\"warden\"}}")];
    let mut channels = Vec::new();
    if let Some(report) = house.descriptors.pop() {
        plain::keep_at_exec(report.as_fd());
        named.push(format!("{{\"fd\":{},\"peer\":\"report\"}}", report.as_raw_fd()));
        channels.push(report);
    }
    for (number, own) in house.descriptors.iter().enumerate() {
        plain::keep_at_exec(own.as_fd());
        let what = if house.start.has_credential && number == 0 { "credential" } else { "own" };
        named.push(format!("{{\"fd\":{},\"peer\":\"{what}\"}}", own.as_raw_fd()));
    }
    let until = Instant::now() + JOINS_LIMIT;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if !matches!(house.control.wait(left), Ok(true)) {
            break;
        }
        let Ok(Some((order, fds))) = house.next_order() else {
            break;
        };
        let (peer, theirs) = match order {
            Order::Join(label) => (label.kind.word(), label.instance.to_string()),
            Order::Listen(service) => ("listener", format!("{service:?}").to_lowercase()),
            _ => continue,
        };
        for fd in fds {
            plain::keep_at_exec(fd.as_fd());
            let number = fd.as_raw_fd();
            named
                .push(format!("{{\"fd\":{number},\"peer\":\"{peer}\",\"instance\":\"{theirs}\"}}"));
            channels.push(fd);
        }
    }
    plain::keep_at_exec(house.control.as_fd());
    let story = format!(
        "SEKISHO_DRILL={{\"compartment\":\"{kind}\",\"instance\":\"{instance}\",\
         \"ids\":{{\"instance\":\"{instance}\"}}{more},\"channels\":[{}],\"frames\":{frames}}}",
        named.join(",")
    );
    let words = |all: &[&str]| -> Vec<CString> {
        all.iter().filter_map(|word| CString::new(*word).ok()).collect()
    };
    let fault = exec_program(&program, &words(&["sekisho", &kind, &instance]), &words(&[&story]));
    crate::tell(format_args!("sekisho {kind}: {fault}"));
    ExitCode::from(3)
}
