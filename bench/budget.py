"""Where the processor time of one message goes: samples of all processors, by compartment and work."""
import collections
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERTZ = 997
# What a sample was busy with: the first word that stands in one of its functions' names, looked
# for from the outermost function to the innermost. Order matters: a copy inside a receive counts
# as network, a page that a copy needs as memory.
WORKS = [
    ("births", ("fork", "clone", "execve", "do_exit", "wait4", "seccomp_set", "landlock_restrict",
                "do_seccomp", "unshare")),
    ("network", ("tcp_", "inet_", "__sock_release", "sock_sendmsg_nosec", "ip_queue_xmit",
                 "accept")),
    ("channels", ("unix_", "scm_")),
    ("disk", ("ext4", "fsync", "fdatasync", "blk_", "xfs_", "btrfs", "fadvise")),
    ("parcels", ("shmem", "memfd", "View::of", "munmap")),
    ("memory", ("exc_page_fault", "mmap", "brk", "madvise", "handle_mm_fault")),
    ("hashing", ("sha256", "sha512", "sha2::")),
    ("sealing", ("aes_gcm", "aes_hw", "gcm_", "ghash")),
    ("public keys", ("p256", "ecp_nistz", "25519", "ed25519", "hpke", "x25519", "mldsa", "mlkem",
                     "MLKEM", "keccak", "KeccakF")),
    ("SMTP", ("smtp::",)),
    ("sender authentication", ("mailauth", "canon")),
    ("MIME", ("mime::", "simdutf8", "encoding_rs", "memmem", "packedpair", "count_raw")),
    ("checksums", ("body::sum",)),
    ("index", ("sqlite", "rusqlite")),
    ("waiting and switching", ("poll", "futex", "schedule", "nanosleep")),
    ("other calls", ("entry_SYSCALL", "do_syscall", "asm_", "irq")),
]
REST = "the rest"


class Sampler:
    """Samples from now until `stop`, of the processes of one group: another house on the machine
    has processes of the same names."""

    def __init__(self, group):
        self.running = None
        self.pids = set()
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, args=(group,), daemon=True)
        self.file = tempfile.mktemp()
        if not shutil.which("perf"):
            return
        self.running = subprocess.Popen(
            ["perf", "record", "-q", "-a", "-g", "-e", "cpu-clock", "-F", str(HERTZ), "-o",
             self.file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.watcher.start()
        time.sleep(0.5)

    def watch(self, group):
        """Instances live for some messages: whoever is there at some time is counted."""
        while not self.ended.wait(0.02):
            self.pids.update(group.pids())

    def stop(self, names, messages):
        """Microseconds a message: {compartment: {work: µs}}; None where nothing is sampled."""
        if not self.running:
            return None
        self.running.send_signal(signal.SIGINT)
        self.running.wait()
        self.ended.set()
        self.watcher.join()
        if not os.path.exists(self.file):
            return None
        counts = collections.defaultdict(collections.Counter)
        reading = subprocess.Popen(
            ["perf", "script", "-i", self.file, "-F", "comm,pid,ip,sym"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, errors="replace")
        name, stack = None, []
        for line in reading.stdout:
            if not line.strip():
                if name in names:
                    counts[name][work_of(stack)] += 1
                name, stack = None, []
            elif name is None:
                # Our names are one word; what stands behind is the process.
                words = line.split()
                ours = len(words) > 1 and words[1].isdigit() and int(words[1]) in self.pids
                name = words[0] if ours else ""
            else:
                stack.append(line)
        reading.wait()
        os.unlink(self.file)
        if not counts:
            return None
        each = 1e6 / HERTZ / messages
        return {name: {work: count * each for work, count in works.items()}
                for name, works in counts.items()}


def work_of(stack):
    for line in reversed(stack):
        for work, words in WORKS[:-2]:
            if any(word in line for word in words):
                return work
    for work, words in WORKS[-2:]:
        if any(word in line for line in stack for word in words):
            return work
    return REST


def table(spent):
    """Rows of work, columns of compartments; what is below five microseconds is left out."""
    kinds = sorted(spent, key=lambda kind: -sum(spent[kind].values()))
    works = collections.Counter()
    for one in spent.values():
        works.update(one)
    lines = ["| work | " + " | ".join(f"`{kind}`" for kind in kinds) + " | all |",
             "| --- |" + " ---: |" * (len(kinds) + 1)]
    for work, total in works.most_common():
        if total >= 5:
            row = [spent[kind].get(work, 0) for kind in kinds]
            cells = " | ".join(f"{value:.0f}" if value >= 0.5 else "" for value in row)
            lines.append(f"| {work} | {cells} | {total:.0f} |")
    sums = " | ".join(f"{sum(spent[kind].values()):.0f}" for kind in kinds)
    lines.append(f"| **all** | {sums} | {sum(works.values()):.0f} |")
    return lines
