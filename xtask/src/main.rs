//! The house's own tasks: `cargo xtask tidy | test | generate | bench | fuzz | drill | crash`.

mod crash;
mod drill;
mod fuzzers;
mod generate;
mod libfuzzer;
mod linked;
mod run;
mod suites;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask tidy       the house style, as checks
cargo xtask test       installs what tests need and runs everything
cargo xtask generate   writes docs/generated anew
cargo xtask bench      the benchmarks of bench/, side by side with peers where they are installed
cargo xtask fuzz       every mini-fuzzer, longer
cargo xtask fuzz --target NAME|--all [--seconds N]
                       libFuzzer, with coverage; --all writes docs/fuzzing.md
cargo xtask drill      hostile code inside every sandbox; writes the README's matrix
cargo xtask crash      the power goes at every step of every keeper: --points N (10,000), --seed S";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let rest: Vec<String> = std::env::args().skip(2).collect();
    let done = match task.as_str() {
        "tidy" => tidy::run(),
        "test" => test::run(&rest),
        "generate" => generate::run(),
        "bench" => test::bench(&rest),
        "fuzz" if rest.is_empty() => test::fuzz(),
        "fuzz" => libfuzzer::run(&rest),
        "drill" => drill::run(),
        "crash" => crash::run(&rest),
        _ => {
            println!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("xtask {task}: {what}");
            ExitCode::FAILURE
        }
    }
}
