"""What a group of processes uses: processor time, memory, flushes, octets written."""
import collections
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
FLUSHES = ("fsync", "fdatasync", "sync_file_range", "syncfs")


def stat_of(pid):
    """Parent, own and reaped children's user and system ticks."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[1]), [int(field) for field in fields[11:15]]


class Group:
    """Processes that are measured together: a control group where one can be made, else a tree."""

    def __init__(self, name):
        self.name = f"sekisho-bench-{name}-{os.getpid()}"
        self.folder = None
        self.root = None
        for base in ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"):
            folder = f"{base}/{self.name}"
            try:
                os.mkdir(folder)
            except OSError:
                continue
            if any(os.path.exists(f"{folder}/{name}") for name in ("cpuacct.usage", "cpu.stat")):
                self.folder = folder
                break
            os.rmdir(folder)

    def enter(self):
        """In a child, before its program: from now on it is counted here."""
        if self.folder:
            with open(f"{self.folder}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))

    def seconds(self):
        if not self.folder:
            return sum(self.by_kind().values())
        with open(self.counter(), encoding="ascii") as file:
            return self.seconds_in(file.read())

    def counter(self):
        """The file that counts our processor time; None where no control group could be made."""
        if not self.folder:
            return None
        exact = f"{self.folder}/cpuacct.usage"
        return exact if os.path.exists(exact) else f"{self.folder}/cpu.stat"

    @staticmethod
    def seconds_in(text):
        """What such a file said."""
        found = re.search(r"usage_usec (\d+)", text)
        return int(found.group(1)) / 1e6 if found else int(text) / 1e9

    def pids(self):
        if self.folder:
            with open(f"{self.folder}/cgroup.procs", encoding="ascii") as file:
                return [int(line) for line in file]
        parents = {}
        for path in glob.glob("/proc/[0-9]*"):
            pid = int(path.rsplit("/", 1)[1])
            try:
                parents[pid] = stat_of(pid)[0]
            except OSError:
                continue
        return [pid for pid in parents if self._descends(pid, parents)]

    def _descends(self, pid, parents):
        while pid in parents:
            if pid == self.root:
                return True
            pid = parents[pid]
        return False

    def by_kind(self):
        """Seconds for each compartment; what an instance used before its end, its zygote has."""
        kinds = collections.Counter()
        for pid in self.pids():
            try:
                ticks = stat_of(pid)[1]
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    words = file.read().split("\0")
            except OSError:
                continue
            is_warden = pid == self.root
            kind = "warden" if is_warden else words[1] if len(words) > 1 else words[0]
            kinds[kind] += (sum(ticks[:2]) if is_warden else sum(ticks)) / TICK
        return kinds

    def pss_mib(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                    total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
            except (OSError, AttributeError):
                continue
        return total / 1024

    def remove(self):
        if self.folder:
            try:
                os.rmdir(self.folder)
            except OSError:
                pass


class Flushes:
    """Counts durable flushes of all processes of a group, those born meanwhile too."""

    def __init__(self, group):
        self.file = tempfile.mktemp()
        self.running = None
        pids = ",".join(str(pid) for pid in group.pids())
        if not shutil.which("perf") or not pids:
            return
        events = ",".join(f"syscalls:sys_enter_{name}" for name in FLUSHES)
        self.running = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.file, "-e", events, "-p", pids],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def count(self):
        """Since the beginning; None where it cannot be counted."""
        if not self.running:
            return None
        self.running.send_signal(signal.SIGINT)
        self.running.wait()
        total = None
        try:
            with open(self.file, encoding="utf-8") as file:
                for line in file:
                    words = line.split(",")
                    if len(words) > 2 and "sys_enter" in words[2] and words[0].isdigit():
                        total = (total or 0) + int(words[0])
            os.unlink(self.file)
        except OSError:
            return None
        return total


def busy_seconds():
    """Processor seconds of the whole machine since its start."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields[:3]) + sum(fields[5:8])) / TICK


def disk_octets(folder):
    """Octets written to the disk that holds the folder; None where it is none."""
    device = os.stat(folder).st_dev
    wanted = (os.major(device), os.minor(device))
    with open("/proc/diskstats", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if (int(fields[0]), int(fields[1])) == wanted:
                return int(fields[9]) * 512
    return None
