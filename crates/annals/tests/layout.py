"""Checks a published log with other hands: hashes by hashlib, signatures by `cryptography`.

`python3 layout.py FOLDER LEDGER_KEY [MIRROR_KEY]` reads every bundle, counts the tree again,
compares every tile, and verifies the checkpoint's signatures."""
import base64
import hashlib
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root(hashes[:split]), root(hashes[split:]))


def path(level, index, width):
    number = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        number = f"x{index % 1000:03}/{number}"
    return f"tile/{level}/{number}" + ("" if width == 256 else f".p/{width}")


def verify(key, text, lines):
    name, key_id, material = key.split("+", 2)
    sort, public = base64.b64decode(material)[0], base64.b64decode(material)[1:]
    assert hashlib.sha256(name.encode() + b"\n" + bytes([sort]) + public).hexdigest()[:8] == key_id
    for line in lines:
        dash, who, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if dash == "\u2014" and who == name and raw[:4].hex() == key_id:
            message, raw = text.encode(), raw[4:]
            if sort == 4:
                time = struct.unpack(">Q", raw[:8])[0]
                message, raw = f"cosignature/v1\ntime {time}\n".encode() + message, raw[8:]
            Ed25519PublicKey.from_public_bytes(public).verify(raw, message)
            return
    raise SystemExit(f"no signature of {name}")


folder = pathlib.Path(sys.argv[1])
note = (folder / "checkpoint").read_text()
text, signatures = note.split("\n\n")
text += "\n"
for key in sys.argv[2:]:
    verify(key, text, signatures.strip().split("\n"))
origin, size, stated = text.strip().split("\n")
size, hashes = int(size), []
for index in range((size + 255) // 256):
    bundle = (folder / path("entries", index, min(256, size - index * 256))).read_bytes()
    while bundle:
        length = struct.unpack(">H", bundle[:2])[0]
        hashes.append(leaf(bundle[2:2 + length]))
        bundle = bundle[2 + length:]
assert len(hashes) == size, (len(hashes), size)
assert base64.b64encode(root(hashes)).decode() == stated
level, row = 0, hashes
while row:
    for index in range((len(row) + 255) // 256):
        part = row[index * 256:index * 256 + 256]
        assert (folder / path(level, index, len(part))).read_bytes() == b"".join(part)
    row = [root(row[at:at + 256]) for at in range(0, len(row) - len(row) % 256, 256)]
    level += 1
print(f"{origin}: {size} entries, {level} levels of tiles, {len(sys.argv) - 2} signatures")
