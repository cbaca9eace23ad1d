#!/usr/bin/env python3
"""Runs the load against Sekisho and its peers by turns and writes docs/benchmarks.md."""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import time

from meters import Flushes, Group, busy_seconds, disk_octets
from peers import Peers, versions

QUICK = os.environ.get("QUICK") == "1"
ROUNDS = 1 if QUICK else 3
# Size, connections, messages of one round.
CASES = [("4k", 1, 200), ("4k", 10, 1000), ("4k", 50, 2000),
         ("40k", 1, 150), ("40k", 10, 600), ("40k", 50, 1000),
         ("1m", 1, 30), ("1m", 10, 100), ("1m", 50, 150)]
if QUICK:
    CASES = [(size, connections, max(30, messages // 2)) for size, connections, messages in CASES]
MAILBOX = 20_000 if QUICK else 100_000
SESSIONS = 300 if QUICK else 1_000


class House:
    """Sekisho's demo without its sample mail."""

    def __init__(self, wishes, folder):
        self.wishes = wishes
        self.group = Group("house")
        self.data = f"{folder}/data"
        self.ready = f"{folder}/ready.json"
        self.port = wishes.port_base + 25
        self.process = None
        self.started = None

    def start(self):
        begin = time.monotonic()
        command = [self.wishes.sekisho, "demo", "--json", "--no-sample", "--data", self.data,
                   "--port-base", str(self.wishes.port_base)]
        with open(self.ready, "wb") as out, open(f"{self.ready}.log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=out, stderr=log,
                                            preexec_fn=self.group.enter)
        self.group.root = self.process.pid
        while os.path.getsize(self.ready) == 0:
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                raise SystemExit("bench: the demo did not start")
            time.sleep(0.01)
        self.started = time.monotonic() - begin

    def settle(self):
        """Evidence is handed in within a second; the index is told soon after."""
        time.sleep(1.5)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(wishes, *words):
    done = subprocess.run([wishes.load, *map(str, words)], capture_output=True, text=True,
                          timeout=400, check=False)
    if done.returncode != 0:
        return {"fault": done.stderr.strip()[-200:]}
    return json.loads(done.stdout)


def mail(wishes, target, case):
    """One round of one case: what the load saw, and what the target used for it."""
    size, connections, messages = case
    disk, busy, begin = disk_octets(wishes.folder), busy_seconds(), time.monotonic()
    before = target.group.seconds()
    seen = load(wishes, "smtp", "--port", target.port, "--size", size, "--connections", connections,
                "--messages", messages, "--credential", f"{wishes.folder}/data.unseal")
    target.settle()
    accepted = max(seen.get("accepted", 0), 1)
    used = target.group.seconds() - before
    took = time.monotonic() - begin
    seen["cpu_ms"] = used * 1000 / accepted
    if disk is not None:
        seen["kib"] = (disk_octets(wishes.folder) - disk) / 1024 / accepted
    # The load's own share is in here: it is the same for all.
    seen["others"] = max(0.0, busy_seconds() - busy - used) / took / (os.cpu_count() or 1)
    return seen


def flushes(wishes, target, case):
    counting = Flushes(target.group)
    size, connections, messages = case
    seen = load(wishes, "smtp", "--port", target.port, "--size", size, "--connections", connections,
                "--messages", messages, "--credential", f"{wishes.folder}/data.unseal")
    target.settle()
    count = counting.count()
    return None if count is None else count / max(seen.get("accepted", 0), 1)


def budget(wishes, house, case):
    """Microseconds of each compartment for one message."""
    before = house.group.by_kind()
    seen = mail(wishes, house, case)
    after = house.group.by_kind()
    accepted = max(seen.get("accepted", 0), 1)
    return {kind: (after[kind] - before.get(kind, 0)) * 1e6 / accepted for kind in after}


def median(rounds, name):
    values = [one[name] for one in rounds if name in one]
    return statistics.median(values) if values else None


def shown(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f}"


def spread(rounds, name, digits=2):
    values = [one[name] for one in rounds if name in one]
    if len(values) < 2:
        return ""
    return f" ({min(values):.{digits}f}–{max(values):.{digits}f})"


def mail_table(results, flushed, targets):
    lines = ["| size | connections | | CPU ms a message | accepted/s | p50 ms | p99 ms "
             "| flushes a message | KiB to disk | refused |",
             "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for case in CASES:
        for name in targets:
            rounds = results[name, case]
            lines.append(
                f"| {case[0]} | {case[1]} | {name} "
                f"| {shown(median(rounds, 'cpu_ms'), 2)}{spread(rounds, 'cpu_ms')} "
                f"| {shown(median(rounds, 'rate'), 0)} | {shown(median(rounds, 'p50_ms'))} "
                f"| {shown(median(rounds, 'p99_ms'))} | {shown(flushed.get((name, case)), 3)} "
                f"| {shown(median(rounds, 'kib'))} "
                f"| {sum(one.get('refused', 0) for one in rounds)} |")
        if len(targets) == 2:
            ours, theirs = (results[name, case] for name in targets)
            cpu = [median(rounds, "cpu_ms") for rounds in (ours, theirs)]
            rate = [median(rounds, "rate") for rounds in (ours, theirs)]
            if all(cpu) and all(rate):
                lines.append(f"| | | **ratio** | **{cpu[0] / cpu[1]:.2f}** "
                             f"| **{rate[0] / rate[1]:.1f}** | | | | | |")
    return lines


def budget_table(budgets):
    kinds = sorted({kind for one in budgets.values() for kind in one},
                   key=lambda kind: -max(one.get(kind, 0) for one in budgets.values()))
    lines = ["| compartment | " + " | ".join(f"{case[0]}, {case[1]}" for case in budgets) + " |",
             "| --- |" + " ---: |" * len(budgets)]
    for kind in kinds:
        row = [budgets[case].get(kind, 0) for case in budgets]
        if max(row) >= 1:
            lines.append(f"| `{kind}` | " + " | ".join(f"{value:.0f}" for value in row) + " |")
    totals = [sum(one.values()) for one in budgets.values()]
    lines.append("| all | " + " | ".join(f"{value:.0f}" for value in totals) + " |")
    return lines


def reading_table(read, idle, sign_in, filled, house):
    def row(what, goal, value, digits=1):
        return f"| {what} | {goal} | {shown(value, digits)} |"
    return [
        "| what | goal | measured |", "| --- | --- | ---: |",
        row("start to ready, s", "≤ 2", house.started, 2),
        row(f"APPEND of {filled.get('appended', 0)} messages, messages/s", "",
            filled.get("appended", 0) / max(filled.get("seconds", 1), 0.001), 0),
        row(f"SELECT of {read.get('messages', 0)} messages, ms", "≤ 20", read.get("select_ms")),
        row("FETCH 1:* (FLAGS), ms", "≤ 100", read.get("fetch_flags_ms")),
        row("STORE of 1,000 (+FLAGS), ms", "≤ 40", read.get("store_1000_ms")),
        row("STORE of 1,000 (-FLAGS), ms", "≤ 40", read.get("unstore_1000_ms")),
        row("100 overviews, cold, ms", "≤ 120", read.get("summaries_100_cold_ms")),
        row("100 overviews, warm, ms", "≤ 30", read.get("summaries_100_warm_ms")),
        row("opening one message, one client, p50 ms", "≤ 6", read.get("release_p50_ms"), 2),
        row("the same, p99 ms", "", read.get("release_p99_ms"), 2),
        row(f"openings/s, {read.get('clients', 64)} clients", "≥ 800",
            read.get("releases_per_second"), 0),
        row("openings refused", "0", read.get("releases_failed"), 0),
        row("connection, TLS, sign-in and SELECT, CPU ms", "≤ 5", sign_in, 2),
        row(f"memory of an idle session ({idle.get('sessions', 0)} open), PSS KiB", "≤ 300",
            idle.get("pss_kib_each"), 0),
        row("kernel memory of an idle session, KiB (whole machine's difference)", "",
            idle.get("kernel_kib_each"), 0),
    ]


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as file:
        gib = int(file.readline().split()[1]) / 1024 / 1024
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, Linux {platform.release()}"


def words_of(command, root):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=root,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "?"


def run(wishes):
    house = House(wishes, wishes.folder)
    house.start()
    targets = {"Sekisho": house}
    if Peers.are_here() and os.environ.get("PEERS", "1") == "1":
        peers = Peers(wishes.folder, wishes.port_base + 600, Group("peers"))
        peers.start()
        targets["Postfix + Dovecot"] = peers
    begin, load_before = time.monotonic(), os.getloadavg()
    results = {(name, case): [] for name in targets for case in CASES}
    flushed, budgets = {}, {}
    try:
        for target in targets.values():
            mail(wishes, target, ("4k", 10, 200))
        for _ in range(ROUNDS):
            for case in CASES:
                for name, target in targets.items():
                    results[name, case].append(mail(wishes, target, case))
        memory = {name: target.group.pss_mib() for name, target in targets.items()}
        for case in CASES:
            if case[1] == 50 or case == CASES[0]:
                for name, target in targets.items():
                    flushed[name, case] = flushes(wishes, target, case)
                budgets[case] = budget(wishes, house, case)
        if "Postfix + Dovecot" in targets:
            targets["Postfix + Dovecot"].stop()
        filled = load(wishes, "fill", "--ready", house.ready, "--messages", MAILBOX)
        house.settle()
        read = load(wishes, "imap", "--ready", house.ready)
        before = house.group.seconds()
        load(wishes, "idle", "--ready", house.ready, "--sessions", 100, "--account", 1)
        sign_in = (house.group.seconds() - before) * 10
        idle = load(wishes, "idle", "--ready", house.ready, "--sessions", SESSIONS,
                    "--root", house.process.pid)
    finally:
        house.stop()
    for what, one in (("fill", filled), ("imap", read), ("idle", idle)):
        if "fault" in one:
            print(f"bench: {what}: {one['fault']}")
    others = [one["others"] for rounds in results.values() for one in rounds if "others" in one]
    took = time.monotonic() - begin
    write(wishes, [
        "# Benchmarks", "",
        "Written by `bench/run.sh`, which measures Sekisho and its peers by turns in one run on "
        "one machine. Sekisho has everything on: SPF, DKIM and DMARC verified, every message "
        "taken apart in its own jail, sealed for each recipient, kept by one durable commit, "
        "and evidence in ledger and mirror. The peers, Postfix handing to Dovecot over LMTP, "
        "filter nothing.", "",
        f"- Date: {time.strftime('%Y-%m-%d')}; revision "
        f"{words_of(['git', 'rev-parse', '--short', 'HEAD'], wishes.root)}; "
        f"{words_of(['rustc', '--version'], wishes.root)}",
        f"- Machine: {machine()}",
        f"- Peers: {versions() if len(targets) == 2 else 'not installed'}",
        f"- {ROUNDS} round(s), median shown, lowest and highest in brackets; {took:.0f} s in all",
        f"- How busy the machine was otherwise: load {load_before[0]:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after; all other processes, the load itself among them, took "
        f"{statistics.median(others) * 100:.0f} % of the machine (highest "
        f"{max(others) * 100:.0f} %)", "",
        "## Mail that arrives", "",
        "One message a connection, nothing pipelined, no TLS, ten recipients by turns, signed "
        "(Ed25519), a quarter Japanese. `load smtp --size S --connections C --messages N`. CPU is "
        "of all processes of the target with their ended children, until the last message is "
        "delivered. Flushes are fsync, fdatasync, sync_file_range and syncfs of all its processes "
        "(`perf stat`, in a round of its own). KiB to disk is of the whole disk.", "",
        *mail_table(results, flushed, list(targets)), "",
        "Memory after these rounds, PSS of all processes: "
        + ", ".join(f"{name} {value:.0f} MiB" for name, value in memory.items()) + ".", "",
        "### Where the time goes", "",
        "Microseconds of CPU for one message (size, connections), by compartment, births of its "
        "instances included (`/proc/PID/stat`, ticks of 10 ms over the whole round).", "",
        *budget_table(budgets), "",
        "## Mail that is read", "",
        "`load fill`, `load imap`, `load idle`, over TLS. An opening is grant, ledger, mirror and "
        "vault for one message by `FETCH n (BODY.PEEK[])`; overviews are `FETCH … (ENVELOPE)` of "
        "a hundred messages, cold in a fresh session.", "",
        *reading_table(read, idle, sign_in, filled, house), ""])


def write(wishes, lines):
    text = "\n".join(lines)
    print(text)
    with open(f"{wishes.root}/docs/benchmarks.md", "w", encoding="utf-8") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--sekisho", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--port-base", type=int, default=int(os.environ.get("PORT_BASE", "30000")))
    parser.add_argument("--folder", default="/var/tmp/sekisho-bench")
    wishes = parser.parse_args()
    wishes.folder = f"{wishes.folder}-{os.getpid()}"
    os.makedirs(wishes.folder, mode=0o755)
    try:
        run(wishes)
    finally:
        shutil.rmtree(wishes.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
