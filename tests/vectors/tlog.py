"""Makes tlog.json: `python -m tests.vectors.tlog`. Nothing here is of any implementation under test.

The recursions are those of RFC 9162 §2.1.1, §2.1.3.1 and §2.1.4.1, as they stand there. `entries` are the eight of
Certificate Transparency's own tests, whose roots other implementations agree on, and after them the number of the entry
in ASCII. Hashes, keys and entries are in hexadecimal.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PLACE = Path(__file__).with_name("tlog.json")
SMALL = 17
LARGE = 300
KNOWN = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
LOG_KEY = bytes(range(32))
WITNESS_KEY = bytes(range(32, 64))
WITNESS_NAME = "witness.example/postern"
WITNESS_TIME_S = 1_790_000_000


def entries(count: int) -> list[bytes]:
    known = [bytes.fromhex(one) for one in KNOWN]
    return (known + [str(number).encode() for number in range(len(known), count)])[:count]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def power_below(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return sha(b"")
    if len(d) == 1:
        return sha(b"\x00" + d[0])
    k = power_below(len(d))
    return sha(b"\x01" + mth(d[:k]) + mth(d[k:]))


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = power_below(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    return [] if m == 0 else subproof(m, d, True)


def subproof(m: int, d: list[bytes], known: bool) -> list[bytes]:
    if m == len(d):
        return [] if known else [mth(d)]
    k = power_below(len(d))
    if m <= k:
        return [*subproof(m, d[:k], known), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def vkey(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def line(name: str, kind: int, public: bytes, blob: bytes) -> str:
    return f"\N{EM DASH} {name} {base64.b64encode(key_id(name, kind, public) + blob).decode()}\n"


def notes() -> dict[str, object]:
    log, witness = map(Ed25519PrivateKey.from_private_bytes, (LOG_KEY, WITNESS_KEY))
    public, other = log.public_key().public_bytes_raw(), witness.public_key().public_bytes_raw()
    origin = "postern-ledger/" + sha(public).hex()[:32]
    root = mth(entries(LARGE))
    text = f"{origin}\n{LARGE}\n{base64.b64encode(root).decode()}\n"
    signature = line(origin, 1, public, log.sign(text.encode()))
    message = f"cosignature/v1\ntime {WITNESS_TIME_S}\n{text}"
    blob = WITNESS_TIME_S.to_bytes(8, "big") + witness.sign(message.encode())
    cosignature = line(WITNESS_NAME, 4, other, blob)
    return {
        "checkpoint": {
            "private_key": LOG_KEY.hex(),
            "public_key": public.hex(),
            "origin": origin,
            "vkey": vkey(origin, 1, public),
            "size": LARGE,
            "root": root.hex(),
            "note": f"{text}\n{signature}",
        },
        "cosignature": {
            "private_key": WITNESS_KEY.hex(),
            "public_key": other.hex(),
            "name": WITNESS_NAME,
            "vkey": vkey(WITNESS_NAME, 4, other),
            "time_s": WITNESS_TIME_S,
            "line": cosignature,
            "note": f"{text}\n{signature}{cosignature}",
        },
    }


def inclusion(index: int, size: int) -> dict[str, object]:
    d = entries(size)
    return {
        "index": index,
        "size": size,
        "leaf_hash": mth([d[index]]).hex(),
        "root": mth(d).hex(),
        "proof": [one.hex() for one in path(index, d)],
    }


def consistency(old: int, new: int) -> dict[str, object]:
    d = entries(new)
    return {
        "old_size": old,
        "new_size": new,
        "old_root": mth(d[:old]).hex(),
        "new_root": mth(d).hex(),
        "proof": [one.hex() for one in proof(old, d)],
    }


def made() -> dict[str, object]:
    sizes = [*range(SMALL + 1), LARGE]
    some = (0, 1, 127, 128, 255, 256, 257, 298, 299)
    return {
        "entries": [one.hex() for one in entries(LARGE)],
        "roots": [{"size": size, "root": mth(entries(size)).hex()} for size in sizes],
        "inclusion": [inclusion(index, size) for size in range(SMALL + 1) for index in range(size)]
        + [inclusion(index, LARGE) for index in some],
        "consistency": [consistency(old, new) for new in range(SMALL + 1) for old in range(new + 1)]
        + [consistency(old, LARGE) for old in (*some, LARGE)],
        **notes(),
    }


if __name__ == "__main__":
    PLACE.write_text(json.dumps(made(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
