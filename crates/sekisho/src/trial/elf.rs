//! Whether a file is a program that a jail can start: nothing else is there to load it with.

/// Where things stand in the head of a 64-bit ELF file.
const CLASS: usize = 4;
const ORDER: usize = 5;
const FORM: usize = 16;
const MACHINE: usize = 18;
const SEGMENTS_AT: usize = 32;
const SEGMENT_BYTES: usize = 54;
const SEGMENT_COUNT: usize = 56;
const CLASS_64: u8 = 2;
const LITTLE_END_FIRST: u8 = 1;
const EXECUTABLE: u16 = 2;
const POSITION_INDEPENDENT: u16 = 3;
/// The segment that names the loader of a program that is not static.
const LOADER: u32 = 3;

#[cfg(target_arch = "x86_64")]
const OURS: u16 = 62;
#[cfg(target_arch = "aarch64")]
const OURS: u16 = 183;

/// Says what keeps the file from being started in a jail.
pub fn fault_of(file: &[u8]) -> Option<&'static str> {
    let octet = |at: usize| file.get(at).copied();
    if file.get(..4) != Some(b"\x7fELF") {
        return Some("no executable (ELF)");
    }
    if (octet(CLASS), octet(ORDER)) != (Some(CLASS_64), Some(LITTLE_END_FIRST))
        || half(file, MACHINE) != Some(OURS)
    {
        return Some("an executable of another machine");
    }
    if !matches!(half(file, FORM), Some(EXECUTABLE | POSITION_INDEPENDENT)) {
        return Some("no executable, but a part of one");
    }
    let start = file.get(SEGMENTS_AT..SEGMENTS_AT + 8)?.try_into().map(u64::from_le_bytes).ok()?;
    let (each, count) = (half(file, SEGMENT_BYTES)?, half(file, SEGMENT_COUNT)?);
    let has_loader = (0..u64::from(count)).any(|number| {
        let at = number.checked_mul(u64::from(each)).and_then(|at| at.checked_add(start));
        let at = at.and_then(|at| usize::try_from(at).ok());
        let form = at.and_then(|at| file.get(at..at.checked_add(4)?));
        form.is_some_and(|form| form == LOADER.to_le_bytes())
    });
    has_loader.then_some("an executable that is not static")
}

fn half(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{FORM, LOADER, MACHINE, OURS, SEGMENT_BYTES, SEGMENT_COUNT, SEGMENTS_AT, fault_of};

    #[test]
    fn only_a_static_program_of_this_machine_is_taken() {
        let mut file = vec![0u8; 64 + 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[FORM] = 2;
        file[MACHINE..MACHINE + 2].copy_from_slice(&OURS.to_le_bytes());
        file[SEGMENTS_AT] = 64;
        file[SEGMENT_BYTES] = 56;
        file[SEGMENT_COUNT] = 1;
        assert_eq!(fault_of(&file), None);
        let with = |at: usize, octet: u8| {
            let mut other = file.clone();
            other[at] = octet;
            fault_of(&other)
        };
        assert_eq!(with(64, LOADER.to_le_bytes()[0]), Some("an executable that is not static"));
        assert_eq!(with(MACHINE, 7), Some("an executable of another machine"));
        assert_eq!(with(4, 1), Some("an executable of another machine"));
        assert_eq!(with(FORM, 1), Some("no executable, but a part of one"));
        assert_eq!(fault_of(b"root:x:0:0:root:/root:/bin/bash\n"), Some("no executable (ELF)"));
        assert_eq!(fault_of(b""), Some("no executable (ELF)"));
        // Segments that lie outside are the kernel's to refuse.
        assert_eq!(with(SEGMENTS_AT + 7, 0xff), None);
    }
}
