//! One binary: the command line, and every compartment when it is started as one.

#[macro_use]
mod printing;

mod arguments;
mod client;
mod commands;
mod compartments;
mod demo;
mod lone;
mod outcome;
mod trial;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = compartments::run_as_one(&arguments) {
        return code;
    }
    commands::run(arguments)
}
