"""Exports of an egress ledger as the formats say, made apart from the product: naive, whole in memory, and changeable.

RFC 9162 2.1 by its recursion; C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature by their text. A ledger
here is a list of entries and a key; what is done to it before or after it is signed is the test's business.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.egress.reconciliation.framing import Explained, Period, bound
from edge.egress.reconciliation.own_traffic import Own

START_MS = 1_772_323_200_000  # 2026-03-01 00:00:00 UTC
MINUTE_MS = 60_000
CLOUD = "cloud.example:7443"
CLOUD_KEY = hashlib.sha256(b"the control plane's authority").hexdigest()
POLICY = b'{"policies":[{"label":"internal"}]}'
POLICY_HASH = hashlib.sha256(POLICY).hexdigest()

Files = dict[str, bytes]


def _key(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


LOG = _key("log")
WITNESSES = {name: _key(name) for name in ("witness.example/cloud", "witness.example/customer")}


def leaf_of(body: Mapping[str, object]) -> bytes:
    """Canonical JSON of an entry."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def tree_hash(hashes: list[bytes]) -> bytes:
    """RFC 9162 2.1.1, over hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    inner = tree_hash(hashes[:split]) + tree_hash(hashes[split:])
    return hashlib.sha256(b"\x01" + inner).digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def origin(key: Ed25519PrivateKey = LOG) -> str:
    return "postern-ledger/" + hashlib.sha256(_public(key)).hexdigest()[:32]


def _identifier(name: str, kind: int, key: Ed25519PrivateKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + _public(key)).digest()[:4]


def vkey(name: str, kind: int, key: Ed25519PrivateKey) -> str:
    encoded = base64.b64encode(bytes([kind]) + _public(key)).decode()
    return f"{name}+{_identifier(name, kind, key).hex()}+{encoded}"


LOG_VKEY = vkey(origin(), 1, LOG)
WITNESS_VKEYS = tuple(vkey(name, 4, key) for name, key in WITNESSES.items())


def checkpoint(
    entries: list[bytes], key: Ed25519PrivateKey = LOG, cosigned_s: int | None = None, root: bytes = b""
) -> bytes:
    """A checkpoint of all the entries, cosigned by both witnesses where a time is given."""
    found = root or tree_hash([leaf_hash(entry) for entry in entries])
    body = f"{origin(key)}\n{len(entries)}\n{base64.b64encode(found).decode()}\n"
    lines = [_line(origin(key), _identifier(origin(key), 1, key), key.sign(body.encode()))]
    for name, witness in WITNESSES.items() if cosigned_s is not None else ():
        message = f"cosignature/v1\ntime {cosigned_s}\n{body}".encode()
        signature = (cosigned_s or 0).to_bytes(8, "big") + witness.sign(message)
        lines.append(_line(name, _identifier(name, 4, witness), signature))
    return (body + "\n" + "".join(lines)).encode()


def _line(name: str, identifier: bytes, signature: bytes) -> str:
    return f"\u2014 {name} {base64.b64encode(identifier + signature).decode()}\n"


def path(level: str, number: int, width: int) -> str:
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def tiles(entries: list[bytes]) -> Files:
    """Entry bundles and tiles of every level."""
    files: Files = {}
    for number in range(-(-len(entries) // 256)):
        some = entries[number * 256 : number * 256 + 256]
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in some)
        files[path("entries", number, len(some))] = bundle
    level, hashes = 0, [leaf_hash(entry) for entry in entries]
    while hashes:
        above = []
        for number in range(-(-len(hashes) // 256)):
            some = hashes[number * 256 : number * 256 + 256]
            files[path(str(level), number, len(some))] = b"".join(some)
            above += [tree_hash(some)] if len(some) == 256 else []
        level, hashes = level + 1, above
    return files


def export(
    entries: list[bytes], earlier: tuple[int, ...] = (), cosigned_s: int | None = 1_772_500_000
) -> Files:
    """All files of an export; `earlier`: sizes of checkpoints that were cosigned before."""
    files = {"checkpoint": checkpoint(entries, cosigned_s=cosigned_s), **tiles(entries)}
    for size in earlier:
        files[f"checkpoints/{size}"] = checkpoint(entries[:size], cosigned_s=1_772_400_000)
    if any(POLICY_HASH.encode() in entry for entry in entries):
        files[f"policies/{POLICY_HASH}.json"] = POLICY
    return files


def write(files: Mapping[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pack(files: Mapping[str, bytes], file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return file


@dataclass
class Ledger:
    """Entries of an ordinary site, one after the other, a clock that goes on by itself."""

    time_ms: int = START_MS
    bodies: list[dict[str, object]] = field(default_factory=list)
    _number: int = 0
    _compared_ms: int = START_MS
    _compared_to: int = 0
    _carried: int = 0
    _open: dict[str, int] = field(default_factory=dict)
    _closed: list[int] = field(default_factory=list)
    _count: int = 0

    def add(self, kind: str, /, **fields: object) -> dict[str, object]:
        body: dict[str, object] = {"type": kind, "time_ms": self.time_ms, **fields}
        self.bodies.append(body)
        self._count += 1
        if kind == "intent":
            self._open[str(fields["envelope"])] = int(str(fields["bytes"]))
        elif kind == "close":
            announced = self._open.pop(str(fields["envelope"]), 0)
            self._closed += [announced] if fields["outcome"] != "not_sent" else []
        return body

    def begin(self) -> None:
        self.add("begin", key=_public(LOG).hex(), software="0.1.0", previous="", lost=0)

    def envelope(self) -> str:
        self._number += 1
        return hashlib.sha256(b"envelope %d" % self._number).hexdigest()[:32]

    def intent(self, *, text: bool = False, size: int = 1_000) -> str:
        named = self.envelope()
        how = {"kind": "overflow_request", "policy": POLICY_HASH, "verdict": "internal", "rows": 0}
        record = {"kind": "outbox_batch", "policy": "", "verdict": "schema", "rows": 7}
        commitment = hashlib.sha256(named.encode()).hexdigest()
        rest = {"destination": CLOUD, "bytes": size, "commitment": commitment, **(how if text else record)}
        self.add("intent", envelope=named, **rest)
        return named

    def close(self, named: str, size: int = 1_000, outcome: str = "written", tokens: int = 0) -> None:
        fields = {"outcome": outcome, "bytes": size, "destination_key": CLOUD_KEY}
        self.add("close", envelope=named, tokens_up=tokens, tokens_down=tokens // 2, **fields)

    def link(self) -> str:
        named = self.envelope()
        self.add("link", envelope=named, destination=CLOUD)
        return named

    def link_close(self, named: str, size: int = 200) -> None:
        fields = {"outcome": "closed", "attempts": 1, "frames": 9, "destination_key": CLOUD_KEY}
        self.add("link_close", envelope=named, bytes=size, **fields)

    def compare(
        self,
        unexplained: int = 0,
        other: int = 0,
        own: Own = Own(frames=4),
        skip: bool = False,
        others_sent: int = 0,
        lan: int = 0,
    ) -> None:
        """What the kernel counted until now, against what is written here: all that is allowed, and `unexplained`.

        `skip`: the counters began anew, so that this time is not compared.
        """
        if not skip:
            kind, fields = self._compared(unexplained, other, own)
            self.add(kind, **fields | {"others_sent_bytes": others_sent, "lan_bytes": lan})
        self._compared_ms, self._compared_to = self.time_ms, self._count
        self._carried = 0 if skip else -sum(self._open.values())
        self._closed.clear()

    def _compared(self, unexplained: int, other: int, own: Own) -> tuple[str, dict[str, object]]:
        explained = Explained(len(self._closed), sum(self._closed), sum(self._open.values()))
        times = (self._compared_ms, self.time_ms, self._compared_to)
        framing = bound(Period(*times, 0, 0, 0, 0, 0, 0, 0), own, explained)
        content = max(0, self._carried + explained.bytes + framing + explained.open_bytes) + unexplained
        period = Period(*times, content + 12 * 52, 12, 12 * 52, other, other // 50, 0, 0)
        fields = {**asdict(period), **asdict(own), "ledger_bytes": explained.bytes}
        fields |= {"framing_bytes": content - explained.bytes - unexplained, "unexplained_bytes": unexplained}
        return ("discrepancy" if unexplained else "reconciled"), fields

    def entries(self) -> list[bytes]:
        return [leaf_of(body) for body in self.bodies]


def ordinary(size: int, compared: bool = True) -> list[bytes]:
    """So many entries of an ordinary site: a connection, batches, every tenth a text, compared each minute."""
    return [leaf_of(body) for body, _ in zip(bodies(compared), range(size), strict=False)]


def bodies(compared: bool = True) -> Iterator[dict[str, object]]:
    """The entries of an ordinary site, without an end."""
    ledger, number = Ledger(), 0
    ledger.begin()
    ledger.link()
    while True:
        number += 1
        ledger.time_ms += 2_500
        named = ledger.intent(text=number % 10 == 0)
        ledger.time_ms += 40
        ledger.close(named, tokens=50 if number % 10 == 0 else 0)
        if compared and number % 24 == 0:
            ledger.time_ms += 1
            ledger.compare()
        yield from ledger.bodies
        ledger.bodies.clear()
