"""A cosignature with ML-DSA-44 by other hands: `python3 lattice.py > lattice.txt`.

Octets laid out from C2SP tlog-cosignature; key and signature by Python's `cryptography`."""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric import mldsa

name, origin = b"witness.example/w1", b"example.com/behind-the-sofa"
time, size, root = 1679315147, 20852163, b"\x5a" * 32
key = mldsa.MLDSA44PrivateKey.from_seed_bytes(b"\x01" * 32)
public = key.public_key().public_bytes_raw()
key_id = hashlib.sha256(name + b"\n\x06" + public).digest()[:4]
message = b"subtree/v1\n\0" + bytes([len(name)]) + name + struct.pack(">Q", time)
message += bytes([len(origin)]) + origin + struct.pack(">QQ", 0, size) + root
signature = struct.pack(">Q", time) + key.sign(message)
print(f"{name.decode()}+{key_id.hex()}+{base64.b64encode(bytes([6]) + public).decode()}")
print(f"\u2014 {name.decode()} {base64.b64encode(key_id + signature).decode()}")
