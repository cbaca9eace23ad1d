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

/// Whether a drilled compartment was given a program: its descriptors are then the channel on which
/// it reports, and the program last.
pub fn has_program(house: &House) -> bool {
    let before = usize::from(house.start.has_credential);
    house.start.drill && house.descriptors.len() == before + 2
}

/// A drilled instance: gathers the channels that any instance of its kind gets, names them in
/// `SEKISHO_DRILL`, and becomes the program. Never reached but by a `Begin` with `drill`.
pub fn become_program(mut house: House) -> ExitCode {
    let Some(program) = house.descriptors.pop() else {
        return ExitCode::from(2);
    };
    let instance = house.start.instance.to_string();
    let kind = house.start.kind_word.clone();
    let mut named = vec![format!("{{\"fd\":{CONTROL},\"peer\":\"warden\"}}")];
    let mut channels = Vec::new();
    if let Some(report) = house.descriptors.pop() {
        plain::keep_at_exec(report.as_fd());
        named.push(format!("{{\"fd\":{},\"peer\":\"report\"}}", report.as_raw_fd()));
        channels.push(report);
    }
    let until = Instant::now() + JOINS_LIMIT;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if !matches!(house.control.wait(left), Ok(true)) {
            break;
        }
        let Ok(Some((order, fds))) = house.next_order() else {
            break;
        };
        if let Order::Join(label) = order {
            for fd in fds {
                plain::keep_at_exec(fd.as_fd());
                let (number, peer) = (fd.as_raw_fd(), label.kind.word());
                let theirs = label.instance;
                named.push(format!(
                    "{{\"fd\":{number},\"peer\":\"{peer}\",\"instance\":\"{theirs}\"}}"
                ));
                channels.push(fd);
            }
        }
    }
    plain::keep_at_exec(house.control.as_fd());
    let story = format!(
        "SEKISHO_DRILL={{\"compartment\":\"{kind}\",\"instance\":\"{instance}\",\
         \"ids\":{{\"instance\":\"{instance}\"}},\"channels\":[{}]}}",
        named.join(",")
    );
    let words = |all: &[&str]| -> Vec<CString> {
        all.iter().filter_map(|word| CString::new(*word).ok()).collect()
    };
    let fault = exec_program(&program, &words(&["sekisho", &kind, &instance]), &words(&[&story]));
    eprintln!("sekisho {kind}: {fault}");
    ExitCode::from(3)
}
