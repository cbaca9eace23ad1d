#!/usr/bin/env python3
"""Mail that leaves: Sekisho and Postfix by turns into one sink; writes docs/benchmarks-leaving.md.

  bench/leaving.py [--messages N] [--rounds R]     builds nothing; bench/run.sh builds both programs
  bench/leaving.py --thousand [...]                a thousand destinations, with and without a dead one
  bench/leaving.py --million [--queued N]          a queue of a million messages: see MILLION below

Each writes its own part of the page and leaves the others as they are.

Sekisho takes it over TLS from people who signed in, scans and signs it (RSA and Ed25519), seals it,
keeps it, opens it against evidence and carries it. Postfix takes it in clear from a trusted network
and carries it: no TLS, no sign-in, no signature, no scan.
"""
import argparse
import json
import os
import pwd
import shutil
import statistics
import subprocess
import time

import compare
import peers
from meters import Flushes, Group

# A tenth as many letters, twenty copies each.
TO_ALL = ["--to-all", "yes", "--messages", "300"]
PAGE = "docs/benchmarks-leaving.md"
DESTINATIONS = 1000
# Built by `cargo build --release -p post --example million`.
MILLION = "examples/million"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Relay(peers.Peers):
    """Postfix alone, whose every destination is the sink. `signs`: with OpenDKIM before its queue."""

    def __init__(self, folder, port, sink, group, signs=False):
        super().__init__(folder, port, group)
        self.sink = sink
        self.signs = signs
        self.signer = None

    def start(self):
        for name in ("queue", "postfix", "postfix-data"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.chown(f"{self.folder}/postfix-data", pwd.getpwnam("postfix").pw_uid, -1)
        words = {"folder": self.folder, "queue": self.queue, "smtp": self.port, "lmtp": 1,
                 "domains": "", "keeper": 0}
        main = peers.MAIN.format(**words)
        # Twenty hosts, as they are to Sekisho: one address each, all of them the sink's.
        hosts = " ".join(f"{{ d{number}.outside.example = smtp:[127.0.1.{number + 1}]:{self.sink} }}"
                         for number in range(20))
        main = main.replace("default_transport = discard",
                            f"default_transport = smtp:[127.0.0.1]:{self.sink}\n"
                            f"transport_maps = inline:{{ {hosts} }}")
        if self.signs:
            main += (f"smtpd_milters = unix:{self.folder}/dkim/socket\n"
                     "milter_default_action = tempfail\n")
            self.sign()
        for path, text in ((f"{self.config}/main.cf", main),
                           (f"{self.config}/master.cf", peers.MASTER.format(**words))):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "check"], check=False, **quiet)
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "start"], check=True,
                       preexec_fn=self.group.enter, **quiet)
        time.sleep(2)


    def sign(self):
        """OpenDKIM with RSA alone: its release loads no Ed25519 key under OpenSSL 3."""
        pem = f"{self.folder}/dkim"
        os.makedirs(pem, mode=0o755, exist_ok=True)
        subprocess.run(["openssl", "genrsa", "-out", f"{pem}/rsa.pem", "2048"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        files = {
            "keys": f"rsa example.jp:r:{pem}/rsa.pem\n",
            "signing": "*@example.jp rsa\n",
            # The folder lies under one that everybody may write to.
            "conf": f"KeyTable file:{pem}/keys\nSigningTable refile:{pem}/signing\nMode s\n"
                    f"Canonicalization relaxed/relaxed\nSocket local:{pem}/socket\n"
                    "UserID root\nUMask 000\nSyslog no\nRequireSafeKeys no\n",
        }
        for name, text in files.items():
            with open(f"{pem}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        self.signer = subprocess.Popen(
            ["/usr/sbin/opendkim", "-f", "-x", f"{pem}/conf"], preexec_fn=self.group.enter,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def stop(self):
        if self.signer:
            self.signer.terminate()
            self.signer.wait()
        super().stop()


def leave(wishes, target, words, counted):
    """One round: what the load saw, and what the target used for it."""
    counting = Flushes(target.group) if counted else None
    before = target.group.seconds()
    command = [wishes.load, "leave", "--sink", str(wishes.sink), "--messages",
               str(wishes.messages), "--connections", str(wishes.connections), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"leaving: {done.stderr.strip()[-300:]}")
    if done.stderr:
        print(done.stderr.strip())
    seen = json.loads(done.stdout)
    target.settle()
    seen["cpu_ms"] = (target.group.seconds() - before) * 1000 / max(seen["arrived"], 1)
    if counting:
        count = counting.count()
        seen["flushes"] = None if count is None else count / max(seen["arrived"], 1)
    return seen


def rounds_of(wishes, target, words):
    rounds = [leave(wishes, target, words, False) for _ in range(wishes.rounds)]
    return rounds, leave(wishes, target, words, True).get("flushes")


def row(name, rounds, flushes):
    def middle(what):
        return statistics.median(one[what] for one in rounds)
    lost = sum(one["accepted"] - one["arrived"] for one in rounds)
    return (f"| {name} | {middle('cpu_ms'):.2f} | {middle('handed_in_per_second'):.0f} "
            f"| {middle('rate'):.0f} | {middle('answer_p50_ms'):.1f} | {middle('answer_p99_ms'):.1f} "
            f"| {middle('left_p50_ms'):.1f} | {middle('left_p99_ms'):.1f} "
            f"| {'–' if flushes is None else f'{flushes:.3f}'} "
            f"| {sum(one['refused'] for one in rounds)} | {lost} |")


def run(wishes):
    os.makedirs(wishes.folder, mode=0o755)
    house = compare.House(wishes, wishes.folder)
    house.more = ["--outside", str(wishes.sink)]
    house.start()
    unlimited(wishes, house)
    before = house.group.by_kind()
    ours, our_flushes = rounds_of(wishes, house, ["--ready", house.ready])
    after = house.group.by_kind()
    to_all = ["--ready", house.ready, *TO_ALL]
    ours_to_all = leave(wishes, house, to_all, False)
    flushes_to_all = leave(wishes, house, to_all, True).get("flushes")
    house.stop()
    lines = ["| | CPU ms a message | handed in/s | left/s | answer p50 ms | p99 ms | left p50 ms "
             "| p99 ms | flushes a message | refused | lost |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
             row("Sekisho", ours, our_flushes)]
    if os.path.exists("/usr/sbin/postfix") and os.geteuid() == 0:
        port = wishes.port_base + 700
        relay = Relay(wishes.folder, port, wishes.sink, Group("relay"))
        relay.start()
        theirs, their_flushes = rounds_of(wishes, relay, ["--port", str(port)])
        to_all = ["--port", str(port), *TO_ALL]
        theirs_to_all = leave(wishes, relay, to_all, False)
        their_flushes_to_all = leave(wishes, relay, to_all, True).get("flushes")
        relay.stop()
        lines.append(row("Postfix", theirs, their_flushes))
        if os.path.exists("/usr/sbin/opendkim"):
            signing = Relay(f"{wishes.folder}/signing", port + 10, wishes.sink, Group("signing"),
                            signs=True)
            signing.start()
            signed, signed_flushes = rounds_of(wishes, signing, ["--port", str(port + 10)])
            signing.stop()
            lines.append(row("Postfix with OpenDKIM (RSA alone)", signed, signed_flushes))
        share = statistics.median(one["cpu_ms"] for one in ours) / statistics.median(
            one["cpu_ms"] for one in theirs)
        lines += ["", "The same, but every letter to all twenty destinations at once: CPU "
                  f"{ours_to_all['cpu_ms']:.2f} ms a letter, Postfix {theirs_to_all['cpu_ms']:.2f} "
                  f"({ours_to_all['cpu_ms'] / theirs_to_all['cpu_ms']:.2f}); the last copy has left "
                  f"after {ours_to_all['left_p50_ms']:.0f} ms (p50), Postfix "
                  f"{theirs_to_all['left_p50_ms']:.0f} ms; flushes a letter "
                  f"{flushes_to_all or 0:.2f} and {their_flushes_to_all or 0:.2f}."]
        lines += ["", f"Sekisho's CPU is {share:.2f} of Postfix's (goal ≤ 0.5); its flushes "
                  f"a message {our_flushes or 0:.3f} (goal ≤ 0.2)."]
    else:
        lines += ["", "Postfix is not installed here: nothing to compare with."]
    count = sum(one["arrived"] for one in ours) + wishes.messages
    budget = sorted(((after[kind] - before.get(kind, 0)) * 1e6 / count, kind) for kind in after)
    lines += ["", "Microseconds of each compartment for one message: " + ", ".join(
        f"{kind} {micros:.0f}" for micros, kind in reversed(budget) if micros >= 1) + "."]
    write("leaving", [
        "Written by `bench/leaving.py`. 4 KiB, twenty destinations by turns, "
        f"{wishes.connections} sessions that hand in letter after letter, {wishes.messages} letters "
        f"a round, {wishes.rounds} round(s), all to one sink on loopback in clear. Sekisho takes it "
        "over TLS from people who signed in, scans it, signs it twice (RSA, Ed25519), seals it, "
        "keeps it, opens it against evidence and carries it. Postfix takes it in clear from a "
        "trusted network and carries it; where OpenDKIM is installed, once more with one of the two "
        "signatures. CPU is of all processes of each; *left* is from MAIL to the sink's 250.", "",
        f"- {time.strftime('%Y-%m-%d')}; {compare.machine()}; {peers.versions()}", "", *lines])


def write(name, lines):
    """One part of the page, between its marks; a part that is new comes last."""
    path = f"{ROOT}/{PAGE}"
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    part = "\n".join([begin, *lines, end])
    print(part)
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if begin in page:
        before, rest = page.split(begin, 1)
        page = before + part + rest.split(end, 1)[1]
    else:
        page = f"{page.rstrip()}\n\n{part}\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


def thousand_rounds(wishes, name, words):
    """A house of its own: what a dead destination leaves behind is nobody else's."""
    folder = f"{wishes.folder}/{name}"
    os.makedirs(folder, mode=0o755)
    house = compare.House(wishes, folder)
    house.more = ["--outside", str(wishes.sink)]
    house.start()
    unlimited(wishes, house)
    words = ["--ready", house.ready, "--destinations", str(DESTINATIONS), *words]
    rounds = [leave(wishes, house, words, False) for _ in range(wishes.rounds)]
    house.stop()
    return rounds


def thousand(wishes):
    """A dead destination takes every connection and never says a word: the dearest way to be dead.

    It has a letter for each that the others have. CPU is for a message that arrived, so what goes
    into the dead one's letters is laid upon the others.
    """
    os.makedirs(wishes.folder, mode=0o755)
    others = os.getloadavg()[0]
    alive, dead = [], []
    for number in range(wishes.turns):
        alive += thousand_rounds(wishes, f"alive-{number}", [])
        dead += thousand_rounds(wishes, f"dead-{number}", ["--dead", "yes"])
    lines = ["## A thousand destinations, one of them dead", "",
             f"Written by `bench/leaving.py --thousand`. {wishes.messages} letters a round to "
             f"{DESTINATIONS} destinations by turns, by {wishes.connections} sessions; then to one "
             "more, which takes every connection and never says a word. Each turn has a house of "
             f"its own, {wishes.turns} turn(s) of {wishes.rounds} round(s).", "",
             f"- {time.strftime('%Y-%m-%d')}; {compare.machine()}; load average {others:.1f} when it "
             "began, by others", "",
             "| | CPU ms a message | seconds | left/s | left p50 ms | p99 ms | refused | lost |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, rounds in (("without", alive), ("with a dead one", dead)):
        def middle(what, rounds=rounds):
            return statistics.median(one[what] for one in rounds)
        lost = sum(one["awaited"] - one["arrived"] for one in rounds)
        lines.append(f"| {name} | {middle('cpu_ms'):.2f} | {middle('seconds'):.2f} "
                     f"| {middle('rate'):.0f} | {middle('left_p50_ms'):.0f} "
                     f"| {middle('left_p99_ms'):.0f} "
                     f"| {sum(one['refused'] for one in rounds)} | {lost} |")
    ratio = {what: statistics.median(one[what] for one in dead)
             / statistics.median(one[what] for one in alive) for what in ("cpu_ms", "seconds")}
    lines += ["", f"With the dead one, CPU is {ratio['cpu_ms']:.2f} times and the time until the "
              f"last of the others has left {ratio['seconds']:.2f} times that without."]
    write("thousand", lines)


def million(wishes):
    """The example says it all; its figures are put beside their goals."""
    os.makedirs(wishes.folder, mode=0o755)
    program = f"{os.path.dirname(wishes.load)}/{MILLION}"
    command = [program, str(wishes.queued), f"{wishes.folder}/queue"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = ["## A queue of a million messages", "",
             "Written by `bench/leaving.py --million` after `cargo build --release -p post "
             f"--example million`: {wishes.queued} messages of fifty tenants, one letter each. "
             "Goals: open within 5 s, at most 300 bytes of memory a message; and a lone message of "
             "another tenant, behind as many, leaves within 1 s.", "",
             f"- {time.strftime('%Y-%m-%d')}; {compare.machine()}", ""]
    lines += [f"- {line}" for line in done.stdout.strip().splitlines()]
    write("million", lines)


def unlimited(wishes, house):
    for tenant in ("Example Japan", "Example Net"):
        # A load of eight people is more than eight people write.
        subprocess.run([wishes.sekisho, "tenant", "set", tenant, "--send-in-ten-minutes", "1000000",
                        "--send-in-a-day", "1000000", "--data", house.data],
                       stdout=subprocess.DEVNULL, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    target = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
    parser.add_argument("--sekisho", default=f"{target}/release/sekisho")
    parser.add_argument("--load", default=f"{target}/release/load")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port-base", type=int, default=int(os.environ.get("PORT_BASE", "29000")))
    parser.add_argument("--thousand", action="store_true")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--queued", type=int, default=1_000_000)
    wishes = parser.parse_args()
    wishes.sink = wishes.port_base + 800
    wishes.folder = f"/var/tmp/sekisho-leaving-{os.getpid()}"
    act = million if wishes.million else thousand if wishes.thousand else run
    try:
        act(wishes)
    finally:
        shutil.rmtree(wishes.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
