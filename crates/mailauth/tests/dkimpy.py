"""Verifies every message of a folder with dkimpy: one line each, signatures then the chain.

usage: dkimpy.py SUITE FOLDER; FOLDER holds keys.txt (`name text` a line) and *.eml
"""

import os
import sys
import types

suite, folder = sys.argv[1:]
sys.path.insert(0, suite)
try:
    import dns.resolver
except ImportError:  # nothing is asked of the real DNS; dkimpy only wants to find a client
    sys.modules["DNS"] = types.SimpleNamespace(DiscoverNameServers=lambda: None)
import dkim

try:
    import nacl.signing

    ed25519 = True
except ImportError:
    ed25519 = False

with open(os.path.join(folder, "keys.txt"), "rb") as file:
    keys = dict(line.rstrip(b"\n").split(b" ", 1) for line in file)


def text(name, timeout=5):
    return keys.get(name.rstrip(b"."))


for name in sorted(os.listdir(folder)):
    if not name.endswith(".eml"):
        continue
    with open(os.path.join(folder, name), "rb") as file:
        message = file.read()
    told = []
    for number in range(2 if ed25519 else 1):
        good = dkim.DKIM(message).verify(idx=number, dnsfunc=text)
        told.append("pass" if good else "fail")
    chain = dkim.arc_verify(message, dnsfunc=text)[0].decode()
    print(name, *told, f"arc={chain}")
