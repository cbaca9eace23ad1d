//! A policy made into the BPF program that the kernel runs before every call.
//!
//! The program checks the processor first, then the call's number, then its arguments as numbers.
//! The accumulator holds the call's number until a rule with conditions reads an argument; such a
//! rule group always ends in an answer, so the number never has to be read again.

use crate::Fault;
use crate::policy::{Condition, Policy, Rule, Test, Verdict};
use std::io;

/// One BPF instruction, as the kernel lays it out.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a test holds.
    pub jump_true: u8,
    /// Instructions to skip when it does not.
    pub jump_false: u8,
    /// Operand.
    pub operand: u32,
}

/// What happens to calls that no rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The warden is asked.
    Notify,
    /// Refused with EPERM: where the kernel gives us no listener.
    Refuse,
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const ANSWER: u16 = 0x06; // BPF_RET | BPF_K

const NUMBER_OFFSET: u32 = 0;
const PROCESSOR_OFFSET: u32 = 4;
/// `seccomp_data.args`, 8 bytes each; the low half comes first on both of our processors.
const ARGUMENTS_OFFSET: u32 = 16;

/// So many calls are tried one after the other.
const FEW: usize = 3;

/// The kernel refuses longer programs (BPF_MAXINSNS).
const MAX_INSTRUCTIONS: usize = 4096;

#[cfg(target_arch = "x86_64")]
const PROCESSOR: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
const PROCESSOR: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// The zygote's filter: nothing but calls in a foreign processor's tongue are killed, and the
/// rest is left to the walls (namespaces, Landlock, no capabilities). It must not refuse what an
/// instance's filter shows to the warden, since refusal outranks notification in a chain.
pub fn coarse() -> Vec<Instruction> {
    let mut program = preamble();
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

/// The filter of `policy` for the process `own_pid`.
///
/// # Errors
/// `Fault::Policy` when a group of rules is too long for one jump or the program for the kernel.
pub fn compile(
    policy: &Policy,
    own_pid: u32,
    otherwise: Otherwise,
) -> Result<Vec<Instruction>, Fault> {
    let mut groups: Vec<(u32, Vec<Instruction>)> = Vec::new();
    for rule in &policy.rules {
        if groups.iter().all(|(number, _)| *number != rule.number) {
            groups.push((rule.number, group(policy, rule.number, own_pid, otherwise)?));
        }
    }
    groups.sort_unstable_by_key(|(number, _)| *number);
    let mut program = preamble();
    program.push(load(NUMBER_OFFSET));
    let unnamed = answer(verdict_value(Verdict::OffCharter, otherwise));
    program.extend(among(&groups, unnamed)?);
    if program.len() > MAX_INSTRUCTIONS {
        return Err(too_long("the program is longer than the kernel takes"));
    }
    Ok(program)
}

/// Finds a call among groups in the order of their numbers, by halves: at each birth the kernel
/// runs the program once for every call that there is, to know those that pass whatever their
/// arguments, and one test after the other took a tenth of a millisecond of it.
fn among(
    groups: &[(u32, Vec<Instruction>)],
    unnamed: Instruction,
) -> Result<Vec<Instruction>, Fault> {
    let (low, high) = groups.split_at(groups.len() / 2);
    let (true, Some((least, _))) = (groups.len() > FEW, high.first()) else {
        return few(groups, unnamed);
    };
    let low = among(low, unnamed)?;
    let mut program = match u8::try_from(low.len()) {
        Ok(near) => vec![jump(JUMP_LEAST, *least, near, 0)],
        Err(_) => {
            let far = u32::try_from(low.len()).unwrap_or(u32::MAX);
            vec![jump(JUMP_LEAST, *least, 0, 1), jump(JUMP, far, 0, 0)]
        }
    };
    program.extend(low);
    program.extend(among(high, unnamed)?);
    Ok(program)
}

/// Some calls, one after the other. Those that are allowed whatever their arguments share their
/// answer: the kernel translates the program anew at each birth, and its length is what that costs.
fn few(
    groups: &[(u32, Vec<Instruction>)],
    unnamed: Instruction,
) -> Result<Vec<Instruction>, Fault> {
    let allowed = answer(libc::SECCOMP_RET_ALLOW);
    let (free, bound): (Vec<_>, Vec<_>) =
        groups.iter().partition(|(_, group)| group.as_slice() == [allowed]);
    let mut program = Vec::new();
    for (number, group) in bound {
        program.push(jump(JUMP_EQUAL, *number, 0, skip(group.len())?));
        program.extend_from_slice(group);
    }
    for (at, (number, _)) in free.iter().enumerate() {
        program.push(jump(JUMP_EQUAL, *number, skip(free.len() - at)?, 0));
    }
    program.push(unnamed);
    if !free.is_empty() {
        program.push(allowed);
    }
    Ok(program)
}

/// The filter of a kind, for each of its processes: a zygote makes it once, not once a birth.
#[derive(Debug)]
pub struct Prepared {
    policy: Policy,
    program: Vec<Instruction>,
    /// Where the process's own id stands.
    own: Vec<usize>,
}

impl Prepared {
    /// # Errors
    /// As [`compile`], and as [`Policy::of`].
    pub fn of(kind: &str) -> Result<Self, Fault> {
        let policy = Policy::of(kind)?;
        // Two programs of one policy differ where the process's own id stands.
        let [program, other] = [0, u32::MAX].map(|pid| compile(&policy, pid, Otherwise::Notify));
        let (program, other) = (program?, other?);
        let pairs = program.iter().zip(&other).enumerate();
        let own = pairs.filter(|(_, (one, other))| one != other).map(|(at, _)| at).collect();
        Ok(Self { policy, program, own })
    }

    /// What [`compile`] makes of the policy for this process.
    ///
    /// # Errors
    /// As [`compile`].
    pub fn program(&self, own_pid: u32, otherwise: Otherwise) -> Result<Vec<Instruction>, Fault> {
        if otherwise != Otherwise::Notify {
            return compile(&self.policy, own_pid, otherwise);
        }
        let mut program = self.program.clone();
        for at in &self.own {
            if let Some(instruction) = program.get_mut(*at) {
                instruction.operand = own_pid;
            }
        }
        Ok(program)
    }
}

fn preamble() -> Vec<Instruction> {
    vec![
        load(PROCESSOR_OFFSET),
        jump(JUMP_EQUAL, PROCESSOR, 1, 0),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
    ]
}

/// All rules about one call, in order, ending in an answer whatever the arguments.
fn group(
    policy: &Policy,
    number: u32,
    own_pid: u32,
    otherwise: Otherwise,
) -> Result<Vec<Instruction>, Fault> {
    let mut group = Vec::new();
    for rule in policy.rules.iter().filter(|rule| rule.number == number) {
        group.extend(tests(rule, own_pid)?);
        group.push(answer(verdict_value(rule.verdict, otherwise)));
        if rule.conditions.is_empty() {
            return Ok(group);
        }
    }
    group.push(answer(verdict_value(Verdict::OffCharter, otherwise)));
    Ok(group)
}

/// The tests of one rule; each failure jumps past the answer that follows them.
fn tests(rule: &Rule, own_pid: u32) -> Result<Vec<Instruction>, Fault> {
    let mut tests: Vec<Instruction> = Vec::new();
    // Built from the last condition to the first, so that the way to the end is known.
    for condition in rule.conditions.iter().rev() {
        let mut one = test(condition, own_pid, tests.len() + 1)?;
        one.append(&mut tests);
        tests = one;
    }
    Ok(tests)
}

/// One condition; `rest` instructions follow it up to the end of its rule.
fn test(condition: &Condition, own_pid: u32, rest: usize) -> Result<Vec<Instruction>, Fault> {
    let mut code = vec![load(ARGUMENTS_OFFSET + 8 * u32::from(condition.argument))];
    match &condition.test {
        Test::In(values) => {
            for (index, value) in values.iter().enumerate() {
                let left = values.len() - index - 1;
                let failed = if left == 0 { skip(rest)? } else { 0 };
                code.push(jump(JUMP_EQUAL, *value, skip(left)?, failed));
            }
        }
        Test::Has(bits) => {
            code.push(Instruction { code: AND, jump_true: 0, jump_false: 0, operand: *bits });
            code.push(jump(JUMP_EQUAL, *bits, 0, skip(rest)?));
        }
        Test::Lacks(bits) => code.push(jump(JUMP_SET, *bits, skip(rest)?, 0)),
        Test::IsSelf => code.push(jump(JUMP_EQUAL, own_pid, 0, skip(rest)?)),
    }
    Ok(code)
}

fn verdict_value(verdict: Verdict, otherwise: Otherwise) -> u32 {
    match (verdict, otherwise) {
        (Verdict::Allow, _) | (Verdict::Witness, Otherwise::Refuse) => libc::SECCOMP_RET_ALLOW,
        (Verdict::Tolerate(errno), _) => refuse(errno),
        (Verdict::Witness | Verdict::OffCharter, Otherwise::Notify) => libc::SECCOMP_RET_USER_NOTIF,
        (Verdict::OffCharter, Otherwise::Refuse) => refuse(libc::EPERM),
    }
}

fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, jump_true: 0, jump_false: 0, operand: offset }
}

fn jump(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, operand }
}

fn answer(value: u32) -> Instruction {
    Instruction { code: ANSWER, jump_true: 0, jump_false: 0, operand: value }
}

fn skip(count: usize) -> Result<u8, Fault> {
    u8::try_from(count).map_err(|_| too_long("a call has more rules than one jump can pass"))
}

fn too_long(why: &'static str) -> Fault {
    Fault::Policy { policy: "compiled".to_owned(), line: 0, why }
}

/// Runs a program on numbers, as the kernel would: for tests and for `doctor`'s explanations.
/// `None` when the program leaves its bounds, which the kernel would have refused.
pub fn simulate(program: &[Instruction], number: u32, arguments: &[u64; 6]) -> Option<u32> {
    let mut accumulator = 0u32;
    let mut at = 0usize;
    while let Some(instruction) = program.get(at) {
        at += 1;
        match instruction.code {
            LOAD => {
                accumulator = match instruction.operand {
                    NUMBER_OFFSET => number,
                    PROCESSOR_OFFSET => PROCESSOR,
                    offset => {
                        let index = offset.checked_sub(ARGUMENTS_OFFSET)? / 8;
                        *arguments.get(index as usize)? as u32
                    }
                };
            }
            AND => accumulator &= instruction.operand,
            ANSWER => return Some(instruction.operand),
            JUMP => at += instruction.operand as usize,
            code => {
                let holds = match code {
                    JUMP_EQUAL => accumulator == instruction.operand,
                    JUMP_LEAST => accumulator >= instruction.operand,
                    _ => accumulator & instruction.operand != 0,
                };
                let far = if holds { instruction.jump_true } else { instruction.jump_false };
                at += usize::from(far);
            }
        }
    }
    None
}

/// Hands a program to the kernel; with `listener` the new listener's descriptor comes back.
///
/// # Errors
/// The kernel's answer; EBUSY when a filter above us has a listener already.
pub fn install(
    program: &[Instruction],
    listener: bool,
) -> io::Result<Option<std::os::fd::OwnedFd>> {
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = Program { length, instructions: program.as_ptr() };
    let set = |flags: libc::c_ulong| {
        // SAFETY: `program` points at `length` instructions of the kernel's layout and outlives
        // the call; the kernel copies and checks it.
        crate::plain::checked(unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &program)
        })
    };
    if !listener {
        return set(0).map(|_| None);
    }
    // Waiting killably spares double notices when a signal interrupts a noticed call; since 5.19.
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let fd = set(flags | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).or_else(|_| set(flags))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(Some(unsafe { crate::plain::adopt(fd as i32) }))
}
