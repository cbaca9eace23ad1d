//! What the command line prints. Whoever reads may have had enough (`sekisho help | head -1`): that
//! is no fault of ours, and no reason to panic, as the standard library's macros do.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Something was not printed for another reason, such as a full disk.
static IS_LOST: AtomicBool = AtomicBool::new(false);

macro_rules! println {
    () => { $crate::printing::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::printing::print_line(format_args!($($text)*)) };
}

macro_rules! print {
    ($($text:tt)*) => { $crate::printing::print(format_args!($($text)*)) };
}

macro_rules! eprintln {
    () => { $crate::printing::tell(format_args!("")) };
    ($($text:tt)*) => { $crate::printing::tell(format_args!($($text)*)) };
}

pub fn print(text: Arguments<'_>) {
    note(&std::io::stdout().lock().write_fmt(text));
}

pub fn print_line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    note(&out.write_fmt(text).and_then(|()| out.write_all(b"\n")));
}

/// On the other output. Nobody is left who could be told that it did not come through.
pub fn tell(text: Arguments<'_>) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_fmt(text).and_then(|()| out.write_all(b"\n"));
}

/// Whether all that was printed came through, or its reader had enough.
pub fn is_whole() -> bool {
    note(&std::io::stdout().lock().flush());
    !IS_LOST.load(Ordering::Relaxed)
}

fn note(written: &std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !IS_LOST.swap(true, Ordering::Relaxed)
    {
        tell(format_args!("sekisho: standard output: {error}"));
    }
}
