"""Checks an export of a Postern egress ledger and says what left the site: one file, for people who do not trust us.

    python verify.py EXPORT [--log-key VKEY] [--witness VKEY]... [--from 2026-03-01 --to 2026-03-31] [--json]
    python verify.py --receipt FILE [EXPORT] [--site-key receipts.pub] [--log-key VKEY] [--json]

The second form checks a visitor's receipt, alone or against an export of the record that it was proven by. There 0 says
that it was not changed and that the record, where one is given, has what it says; not that nothing else left.

Needs Python 3.9 or newer and the package `cryptography`, nothing else of ours, and no network. EXPORT is a folder or a
`.zip` of it. It only reads. Exit status:

    0  the record is whole, and all of the time that was asked for (without days: the record's) is explained
    3  something is wrong: the record was changed; the kernel counted bytes that no entry explains; the clock was wrong
    6  nobody knows: it is whole and nothing was found, but some of the time was not compared with the kernel's counters
       (at a site without a meter: all), or is not in the record
    2  the question was not understood; there is no export, it may not be read, or nobody takes the answer

Format: RFC 9162 hashing; C2SP tlog-tiles, tlog-checkpoint, tlog-cosignature; leaves as in
docs/adr/0067-the-ledger-is-a-merkle-log.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import re
import stat
import sys
import time
import zipfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
except ImportError:
    sys.stderr.write("This needs the Python package cryptography: pip install cryptography\n")
    raise SystemExit(2) from None

TILE = 256
HASH_BYTES = 32
# What an honest export keeps to, and what a hostile one cannot make us hold in memory.
ENTRY_BYTES_MAX = 4_096
BUNDLE_BYTES_MAX = TILE * (2 + ENTRY_BYTES_MAX)
NOTE_BYTES_MAX = 65_536
RECEIPT_FORMAT, RECEIPT_BYTES_MAX = "postern-visitor-receipt-1", 4_000_000
POLICY_BYTES_MAX = 4_000_000
FILES_MAX = 1_000_000
DIRECTORY_BYTES_MAX = 1 << 24  # of a zip: 200,000 files, some 25 million leaves; more needs a folder
CHECKPOINTS_MAX = 10_000
SIZE_MAX = 1 << 40
OPEN_MAX = 100_000
GROUPS_MAX = 10_000
# Mistakes told one by one; the check ends with the last.
PROBLEMS_MAX = 20
UNEXPLAINED_TOLD_MAX = 100
# A clock that is set right steps back by seconds. More is a broken clock, which the site must explain.
TIME_BACK_MAX_MS = 300_000
MINUTE_MS = 60_000
# A site may be cut off from its witnesses for a night, and a file on its way to one for a day.
WITNESS_LATE_MAX_MS = 24 * 60 * MINUTE_MS
PROGRESS_S = 2.0

_NUMBER = r"(?P<NAME>0|[1-9][0-9]{0,15})"
_ID = r'"(?P<NAME>[0-9a-f]{32})"'
_HASH = r'"(?P<NAME>[0-9a-f]{64})"'
_HASH_OR_NONE = r'"(?P<NAME>[0-9a-f]{64}|)"'
_CODE = r'"(?P<NAME>[A-Za-z0-9_.:/-]{1,64})"'
_TEXT = r'"(?P<NAME>[^"\\\x00-\x1f\x7f]{1,255})"'
# What a comparison with the kernel's counters adds up.
OWN = ("attempts", "connections", "frames", "frame_bytes")
COMPARED = (
    *("kernel_bytes", "kernel_packets", "header_bytes", "received_bytes", *OWN, "ledger_bytes"),
    *("framing_bytes", "unexplained_bytes", "other_bytes", "other_packets"),
    *("others_sent_bytes", "lan_bytes"),
)
_RECONCILED = dict.fromkeys(("from_ms", "to_ms", "from_entry", *COMPARED), _NUMBER)
# What the framing may come to, in bytes of TCP's content (ADR 70 has the measurements): in a minute, and of each
# attempt, connection and message; parts of what was sent and of what came back.
MINUTE_BYTES, ATTEMPT_BYTES, CONNECTION_BYTES, MESSAGE_BYTES = 1_000, 1_000, 4_000, 150
SENT_PART, RECEIVED_PART = 16, 1_024
MINUTES_MAX = 11
# So much of OWN the courier's word is good for, in a minute.
OWN_MAX = (40, 12, 64, 16_384)
# Of a packet: IPv4 and UDP, and IPv6 and TCP with all the options that they can have.
HEADER_BYTES_MIN, HEADER_BYTES_MAX = 28, 100
_OUTCOME = '"(?P<NAME>written|failed|not_sent|unknown)"'
_CLOSED = {"envelope": _ID, "outcome": _CODE, "bytes": _NUMBER, "destination_key": _HASH_OR_NONE}
FIELDS = {
    "intent": {"envelope": _ID, "destination": _TEXT, "kind": _CODE, "rows": _NUMBER, "bytes": _NUMBER}
    | {"policy": _HASH_OR_NONE, "verdict": _CODE, "commitment": _HASH},
    "close": _CLOSED | {"outcome": _OUTCOME, "tokens_up": _NUMBER, "tokens_down": _NUMBER},
    "link": {"envelope": _ID, "destination": _TEXT},
    "link_close": _CLOSED | {"attempts": _NUMBER, "frames": _NUMBER},
    "reconciled": _RECONCILED,
    "discrepancy": _RECONCILED,
    "begin": {"key": _HASH, "software": _TEXT, "previous": _HASH_OR_NONE, "lost": _NUMBER},
}


def _pattern(kind: str, fields: dict[str, str]) -> re.Pattern[str]:
    """The one canonical form of an entry: sorted keys, no blanks, integers without signs and zeroes in front."""
    forms = {**fields, "time_ms": _NUMBER, "type": f'"{kind}"'}
    inner = ",".join(f'"{name}":{forms[name].replace("NAME", name)}' for name in sorted(forms))
    return re.compile(r"\{" + inner + r"\}")


PATTERNS = tuple((kind, _pattern(kind, fields)) for kind, fields in FIELDS.items())


class Wrong(Exception):
    """The export is not what it should be; the message is for a person."""


class Usage(Exception):
    """The question was not understood, or what it is about is no export or cannot be read."""


# --- where the files are


class Source(Protocol):
    """The files of an export by name, `/` between parts. `read` raises Wrong for what is absent or too long, Usage for
    what may not be read."""

    def names(self) -> Iterable[str]: ...

    def read(self, name: str, most: int) -> bytes: ...


class Folder:
    """An export as a folder. Links and what is no plain file are refused, wherever they lead."""

    def __init__(self, root: str) -> None:
        self._root = root
        with _readable():
            self._names = set(self._walk())

    def _walk(self) -> Iterator[str]:
        left, count = [""], 0
        while left:
            inside = left.pop()
            with os.scandir(os.path.join(self._root, inside)) as found:
                for entry in found:
                    name, count = inside + entry.name, count + 1
                    if count > FILES_MAX:
                        raise Wrong(
                            f"There are more than {FILES_MAX:,} files: this is no export of a ledger."
                        )
                    if entry.is_symlink():
                        raise Wrong(f"{plain(name)} is a link. An export holds plain files only.")
                    if entry.is_dir(follow_symlinks=False):
                        left.append(name + "/")
                    elif entry.is_file(follow_symlinks=False):
                        yield name
                    else:
                        raise Wrong(f"{plain(name)} is no plain file. An export holds plain files only.")

    def names(self) -> Iterable[str]:
        return self._names

    def read(self, name: str, most: int) -> bytes:
        if name not in self._names:
            raise Wrong(f"The file {plain(name)} is missing.")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with _readable():
            path = os.path.join(self._root, *name.split("/"))
            descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Wrong(f"{plain(name)} is no plain file.")
            return _not_more(file.read(most + 1), most, name)


class _Careful(io.FileIO):
    """A file of which nobody reads more at once than a zip's directory may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = DIRECTORY_BYTES_MAX + 1 if size is None or size < 0 else size
        if wanted > DIRECTORY_BYTES_MAX + 1:
            raise Wrong("The directory of this .zip is too large. Unpack it, and give the folder.")
        return super().read(wanted) or b""


class Zip:
    """An export as a .zip. Nothing is unpacked to the disk, and of each member only what may be there is read."""

    def __init__(self, path: str) -> None:
        with _readable():
            file = _Careful(path)
        try:
            self._zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            raise Usage(f"{plain(path)} is no export: {_what_it_is(file)}") from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            if member.filename in self._members:
                raise Wrong(
                    f"The .zip holds {plain(member.filename)} twice: which one counts is anybody's guess."
                )
            self._members[member.filename] = member

    def names(self) -> Iterable[str]:
        return (name for name in self._members if not name.endswith("/"))

    def read(self, name: str, most: int) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise Wrong(f"The file {plain(name)} is missing.")
        # Other ways of packing expand without a bound that we could set.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Wrong(f"{plain(name)} is packed in a way that is not read here. Unpack the .zip first.")
        with self._zip.open(member) as file:
            return _not_more(file.read(most + 1), most, name)


@contextmanager
def _readable() -> Iterator[None]:
    """Raises Usage where the system does not let us read: that says nothing of the record."""
    try:
        yield
    except OSError as error:
        raise Usage(f"{plain(error.filename)} cannot be read: {error.strerror}.") from None


def _what_it_is(file: io.FileIO) -> str:
    file.seek(0)
    start = file.read(RECEIPT_BYTES_MAX)
    if start.startswith(b"PK"):
        return "this .zip was cut off or is damaged. Get it again."
    if RECEIPT_FORMAT.encode() in start:
        return "it is a visitor's receipt. Check it with --receipt."
    return "it is no .zip. Give the folder that holds the file checkpoint, or a .zip of it."


def _not_more(data: bytes, most: int, name: str) -> bytes:
    if len(data) > most:
        raise Wrong(f"{plain(name)} is longer than {most:,} bytes.")
    return data


def open_export(path: str) -> Source:
    """Raises Usage where no export lies there or it may not be read, Wrong where it cannot be an honest one."""
    if not os.path.exists(path):
        raise Usage(f"There is nothing at {plain(path)}.")
    if not os.path.isdir(path) and not os.path.isfile(path):
        raise Usage(f"{plain(path)} is neither a folder nor a .zip.")
    if os.path.isdir(path):
        _require_checkpoint(path, _near(path))
        return Folder(path)
    source = Zip(path)
    _require_checkpoint(path, source.names())
    return source


def _near(folder: str) -> list[str]:
    """What lies in it, and checkpoints one folder down."""
    with _readable():
        names = os.listdir(folder)
    inside = (f"{name}/checkpoint" for name in names)
    return names + [name for name in inside if os.path.isfile(os.path.join(folder, name))]


def _require_checkpoint(path: str, names: Iterable[str]) -> None:
    inside = sorted(name for name in names if name == "checkpoint" or name.endswith("/checkpoint"))
    if "checkpoint" in inside:
        return
    where = f"; {plain(inside[0])} is. Give that folder (unpacked)" if inside else ""
    raise Usage(f"{plain(path)} is no export of a ledger: the file checkpoint is not in it{where}.")


def tile_path(level: str, number: int, width: int = TILE) -> str:
    """C2SP tlog-tiles: groups of three digits, all but the last with an x; what is not full says how wide it is."""
    name = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        name = f"x{number % 1000:03d}/{name}"
    return f"tile/{level}/{name}" + (f".p/{width}" if width < TILE else "")


def plain(text: object) -> str:
    """Somebody else's words as printable ASCII: they cannot steer a terminal, nor pass for other words."""
    return str(text).encode("ascii", "backslashreplace").decode().translate(_CONTROLS)[:300]


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


# --- signatures

LOG_KIND, WITNESS_KIND = 1, 4
_NOTE = re.compile(r"([^\n]+\n[^\n]+\n[^\n]+\n(?:[^\n]+\n)*)\n((?:\u2014 [^ \n]+ [^ \n]+\n)+)")


class Key:
    """A key of C2SP's signed-note: name, four bytes of identifier, Ed25519."""

    def __init__(self, name: str, kind: int, public: bytes) -> None:
        self.name, self.public, self._kind = name, public, kind
        self.identifier = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]

    @classmethod
    def parse(cls, vkey: str, kind: int) -> Key:
        """From `name+identifier+base64`. Raises Usage."""
        try:
            name, identifier, encoded = vkey.strip().split("+", 2)
            material = base64.b64decode(encoded, validate=True)
            key = cls(name, kind, material[1:])
            if len(material) != 1 + HASH_BYTES or material[0] != kind or key.identifier.hex() != identifier:
                raise ValueError
        except ValueError:
            whose = "a log's" if kind == LOG_KIND else "a witness's"
            raise Usage(f"{plain(vkey)} is not {whose} key (name+identifier+base64).") from None
        return key

    def vkey(self) -> str:
        """As `parse` takes it."""
        encoded = base64.b64encode(bytes([self._kind]) + self.public).decode()
        return f"{self.name}+{self.identifier.hex()}+{encoded}"

    def signed(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Checkpoint:
    """A signed note of C2SP's tlog-checkpoint. Raises Wrong for what is not one."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            found = _NOTE.fullmatch(data.decode())
            if found is None:
                raise ValueError
            self.body = found[1]
            origin, size, root = self.body.split("\n")[:3]
            self.origin, self.size, self.root = origin, int(size), base64.b64decode(root, validate=True)
            exact = (str(self.size), base64.b64encode(self.root).decode()) == (size, root)
            self.signatures = [self._signature(line) for line in found[2].split("\n")[:-1]]
            if not exact or len(self.root) != HASH_BYTES or not 0 < self.size <= SIZE_MAX:
                raise ValueError
        except ValueError:
            raise Wrong(f"{plain(name)} is not a checkpoint in the one form that it has.") from None

    @staticmethod
    def _signature(line: str) -> tuple[str, bytes, bytes]:
        _, name, encoded = line.split(" ")
        data = base64.b64decode(encoded, validate=True)
        if base64.b64encode(data).decode() != encoded or len(data) < 5:
            raise ValueError
        return name, data[:4], data[4:]

    def require_log(self, key: Key) -> None:
        """Raises Wrong unless the log signed it."""
        if self.origin != key.name:
            raise Wrong(f"{plain(self.name)} is of {plain(self.origin)}, not of {plain(key.name)}.")
        found = self._by(key)
        if not found or not all(key.signed(signature, self.body.encode()) for signature in found):
            raise Wrong(f"{plain(self.name)} carries no good signature of {plain(key.name)}.")

    def cosigned_at(self, key: Key, given: Iterable[Key] = ()) -> int | None:
        """When the witness says it saw it, seconds since 1970; None: it did not sign. `given`: other witnesses' keys.

        Raises Wrong.
        """
        time_s = None
        for found in self._by(key, given):
            time_s = int.from_bytes(found[:8], "big")
            message = f"cosignature/v1\ntime {time_s}\n{self.body}".encode()
            if len(found) != 72 or not key.signed(found[8:], message):
                raise Wrong(f"{plain(self.name)} carries a bad cosignature of {plain(key.name)}.")
        return time_s

    def _by(self, key: Key, given: Iterable[Key] = ()) -> list[bytes]:
        """Signatures that say they are by the key. One that only half says so was damaged, or is by a key not given."""
        found, others = [], {(one.name, one.identifier) for one in given}
        for name, identifier, signature in self.signatures:
            if (name, identifier) == (key.name, key.identifier):
                found.append(signature)
            elif (name, identifier) not in others and (identifier == key.identifier or name == key.name):
                raise Wrong(
                    f"{plain(self.name)} carries a signature of {plain(name)} that is not by the key given. "
                    "If it has another key as well, give that too."
                )
        return found


# --- the tree


def leaf_hash(entry: bytes) -> bytes:
    """RFC 9162 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 9162 2.1.1 over hashes of equal subtrees, the last of which may be smaller."""
    sha256 = hashlib.sha256
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2])
        odd = hashes[-1:] if len(hashes) % 2 else []
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return hashes[0]


class Tree:
    """What is needed of a growing tree: of each level the hashes since its last full tile, and how many were full."""

    def __init__(self, full: Callable[[int, int, list[bytes]], None]) -> None:
        self._full = full
        self.levels: list[list[bytes]] = [[]]
        self.tiles = [0]

    def push(self, level: int, subtree: bytes) -> None:
        """Add the hash of a full tile of the level below."""
        if level == len(self.levels):
            self.levels.append([])
            self.tiles.append(0)
        hashes = self.levels[level]
        hashes.append(subtree)
        if len(hashes) == TILE:
            self._full(level, self.tiles[level], hashes)
            self.tiles[level] += 1
            self.levels[level] = []
            self.push(level + 1, root_of(hashes))

    def root(self, tail: list[bytes]) -> bytes:
        """With these leaf hashes behind the last full tile of leaves."""
        carried = list(tail)
        for hashes in self.levels[1:]:
            rest = [root_of(carried)] if carried else []
            carried = hashes + rest
        return root_of(carried)


# --- what the entries say

# Of each (destination, its key, kind, policy, verdict); "connections" is the kind of a destination's links.
GROUP = ("destination", "destination_key", "kind", "policy", "verdict")
COUNTED = ("envelopes", "rows", "bytes", "bytes_perhaps", "tokens_up", "tokens_down", "not_sent", "uncertain")
CONNECTIONS = "connections"
_OTHERS = ("(others)",) * len(GROUP)
# After these an envelope may be announced once more: the next replica is asked for an answer that one failed to give.
TRIED_AGAIN = ("failed", "not_sent")
_AGAIN = 1


@dataclass(frozen=True)
class Opened:
    """What was announced and not closed yet."""

    time_ms: int
    destination: str
    kind: str
    policy: str
    verdict: str
    rows: int
    bytes: int


class Record:
    """Takes the entries one by one: pairs what opens with what closes, checks the clock, adds up a period."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self.from_ms, self.to_ms = from_ms, to_ms
        self.clocks = Clocks(())
        self.count = self.first_ms = self.last_ms = 0
        # Entry, time before, its own: a clock that was set back. To be explained, though it says nothing of the bytes.
        self.set_back: list[tuple[int, int, int]] = []
        self.set_back_count = 0
        # By how many entries a witness saw: when the first came that it did not see.
        self.unseen_ms: dict[int, int] = {}
        self.key = self.software = self.previous = ""
        self.lost = 0
        self.problems: list[str] = []
        self.open: dict[str, Opened] = {}
        self.open_bytes = 0
        self.left: dict[tuple[str, ...], list[int]] = {}
        self.policies: set[str] = set()
        self.compared = Compared(self)
        # Of every envelope 71 bits, in 256 arrays, and one that says whether it was announced or may be so again: 9
        # bytes each, and two of a million equal by chance once in 10^9.
        self._seen = [array("Q") for _ in range(256)]
        self._clock_ms = 0

    def add(self, entry: bytes) -> None:
        """Raises Wrong for what is no entry."""
        try:
            text = entry.decode()
        except ValueError:
            raise Wrong(f"Entry {self.count} is no text.") from None
        kind, found = _parsed(text)
        if found is None:
            raise Wrong(f"Entry {self.count} is not one of a ledger: {_why_not(text)}.")
        if (kind == "begin") != (self.count == 0):
            raise Wrong("The first entry, and only that, must be the ledger's beginning.")
        time_ms = int(found["time_ms"])
        self._tell_time(time_ms)
        self.clocks.add(self.count, time_ms)
        if self.count in self.unseen_ms:
            self.unseen_ms[self.count] = time_ms
        if kind in ("intent", "link"):
            self._opened(found, kind, time_ms)
        elif kind in ("close", "link_close"):
            self._closed(found, kind, time_ms)
        elif kind == "begin":
            self.key, self.software, self.previous = found["key"], found["software"], found["previous"]
            self.lost = int(found["lost"])
        else:
            self.compared.add(found, kind)
        self.count += 1

    def problem(self, text: str) -> None:
        """Note what is wrong. Raises Wrong with the last that is told."""
        if len(self.problems) == PROBLEMS_MAX:
            raise Wrong("There is more; the check ended here.")
        self.problems.append(text)

    def finish(self) -> None:
        """What was announced twice, and what was never closed: of that, all may have left."""
        for first, rest in enumerate(self._seen):
            last = -1
            for value in sorted(rest, key=_envelope_of):  # of one envelope in the order of the entries
                if value == last and not value & _AGAIN:
                    self.problem(
                        f"The envelope {first:02x}{value >> 4:015x}... was announced more than once."
                    )
                last = value
        for opened in self.open.values():
            self._settle(opened, "", "", 0, 0, 0)

    def _tell_time(self, time_ms: int) -> None:
        if self.count == 0:
            self.first_ms = time_ms
        if time_ms < self._clock_ms - TIME_BACK_MAX_MS:
            self.tell_set_back(self._clock_ms, time_ms)
            self._clock_ms = time_ms
        self._clock_ms = max(self._clock_ms, time_ms)
        self.last_ms = time_ms

    def tell_set_back(self, from_ms: int, to_ms: int) -> None:
        """The clock, seen at this entry."""
        self.set_back_count += 1
        if self.set_back_count <= UNEXPLAINED_TOLD_MAX:
            self.set_back.append((self.count, from_ms, to_ms))

    def _opened(self, found: re.Match[str], kind: str, time_ms: int) -> None:
        envelope, destination = found["envelope"], found["destination"]
        if envelope in self.open:
            self.open_bytes -= self.open[envelope].bytes
        if kind == "link":
            self.open[envelope] = Opened(time_ms, destination, CONNECTIONS, "", "framing", 0, 0)
        else:
            policy, rows, size = found["policy"], int(found["rows"]), int(found["bytes"])
            self.open[envelope] = Opened(
                time_ms, destination, found["kind"], policy, found["verdict"], rows, size
            )
            self.open_bytes += size
            if policy:
                self.policies.add(policy)
        if len(self.open) > OPEN_MAX or len(self.policies) > GROUPS_MAX:
            raise Wrong(
                f"At entry {self.count} more is open, or more policies are named, than any courier comes to."
            )
        self._note(envelope, 0)

    def _closed(self, found: re.Match[str], kind: str, time_ms: int) -> None:
        opened, size = self.open.pop(found["envelope"], None), int(found["bytes"])
        if opened is not None:
            self.open_bytes -= opened.bytes
        if opened is None or (kind == "link_close") != (opened.kind == CONNECTIONS):
            self.problem(f"Entry {self.count} closes the envelope {found['envelope']}, which is not open.")
            return
        if kind == "close" and found["outcome"] != "not_sent":
            self.compared.closed(self.count, opened.bytes)
        if kind == "close" and found["outcome"] in TRIED_AGAIN:
            self._note(found["envelope"], _AGAIN)
        if kind == "close" and not _sum_fits(found["outcome"], size, opened.bytes):
            self.problem(
                f"Entry {self.count} says that of {opened.bytes:,} bytes {size:,} were sent, and {found['outcome']}."
            )
        tokens = (0, 0) if kind == "link_close" else (int(found["tokens_up"]), int(found["tokens_down"]))
        self._settle(opened, found["destination_key"], found["outcome"], size, *tokens)

    def _note(self, envelope: str, again: int) -> None:
        self._seen[int(envelope[:2], 16)].append(int(envelope[2:18], 16) & ~_AGAIN | again)

    def _settle(self, opened: Opened, key: str, outcome: str, size: int, up: int, down: int) -> None:
        if not self.from_ms <= opened.time_ms < self.to_ms:
            return
        group: tuple[str, ...] = (opened.destination, key, opened.kind, opened.policy, opened.verdict)
        if group not in self.left and len(self.left) >= GROUPS_MAX:
            group = _OTHERS
        sums = self.left.setdefault(group, [0] * len(COUNTED))
        unsent = outcome == "not_sent"
        uncertain = outcome in ("", "unknown", "failed")
        sent, perhaps = (0, max(size, opened.bytes)) if uncertain else (size, 0)
        found = (1, opened.rows, sent, perhaps, up, down, int(unsent), int(uncertain))
        sums[:] = [one + more for one, more in zip(sums, found)]


@dataclass(frozen=True)
class Cosigned:
    """What a witness signed: so many entries, at a time of its own clock, in ms since 1970."""

    name: str
    time_ms: int
    size: int


class Clocks:
    """The host's clock against those of witnesses, entry by entry. What one saw at a time was written by then; what
    comes after what it saw then was written later, but for the way that the signed file had to it."""

    def __init__(self, looks: Iterable[Cosigned]) -> None:
        # The next look last, each with the earliest of those that saw as much or more.
        self._looks: list[tuple[Cosigned, Cosigned]] = []
        for look in sorted(looks, key=lambda one: (-one.size, -one.time_ms)):
            earliest = self._looks[-1][1] if self._looks else look
            self._looks.append((look, min(look, earliest, key=lambda one: one.time_ms)))
        self._before: Cosigned | None = None
        self._told_at = -1
        self.between = False
        self._widest_ms = self._off_ms = 0
        # Of each run of entries between two looks the first: entry, its time, by whose look it is wrong.
        self.wrong: list[tuple[int, int, Cosigned]] = []
        self.wrong_count = 0

    def add(self, entry: int, time_ms: int) -> None:
        while self._looks and self._looks[-1][0].size <= entry:
            look = self._looks.pop()[0]
            if self._before is None or look.time_ms > self._before.time_ms:
                self._before = look
        after, before = self._looks[-1][1] if self._looks else None, self._before
        if after is not None and before is not None:
            self.between = True
            self._widest_ms = max(self._widest_ms, after.time_ms - before.time_ms)
        if after is not None:
            self._judge(entry, time_ms, after, time_ms - after.time_ms, TIME_BACK_MAX_MS)
        if before is not None:
            self._judge(entry, time_ms, before, before.time_ms - time_ms, WITNESS_LATE_MAX_MS)

    def _judge(self, entry: int, time_ms: int, look: Cosigned, off_ms: int, most_ms: int) -> None:
        self._off_ms = max(self._off_ms, off_ms)
        if off_ms <= most_ms:
            return
        self.wrong_count += 1
        if len(self._looks) != self._told_at and len(self.wrong) < UNEXPLAINED_TOLD_MAX:
            self.wrong.append((entry, time_ms, look))
        self._told_at = len(self._looks)

    @property
    def within_ms(self) -> int:
        """So wrong it can have been between the first look and the last."""
        return self._widest_ms + self._off_ms


def _sum_fits(outcome: str, size: int, announced: int) -> bool:
    if outcome == "failed":
        return size <= announced
    return size == (announced if outcome == "written" else 0)


def _envelope_of(value: int) -> int:
    return value & ~_AGAIN


def _parsed(text: str) -> tuple[str, re.Match[str] | None]:
    for kind, pattern in PATTERNS:
        if found := pattern.fullmatch(text):
            return kind, found
    return "", None


def _why_not(text: str) -> str:
    """Why an entry has not the form of one, for a person."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON"
    kind = found.get("type") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in FIELDS:
        return "its type is unknown"
    if set(found) != {*FIELDS[kind], "time_ms", "type"}:
        return f"it has not the fields of the type {kind}"
    return "a value is out of bounds, or it is not written in the one canonical form"


class Compared:
    """What the courier's host compared with the kernel's counters: without a gap, by the sums of the entries, and with
    no more framing than the bound. What a leaf says beside the kernel's counts and the courier's own is worked out
    here once more."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.until_ms: int | None = None
        self.from_ms = self.to_ms = self.longest_ms = self.count = 0
        self.sums = dict.fromkeys(COMPARED, 0)
        self.discrepancies: list[dict[str, int]] = []
        self.discrepancies_count = 0
        self.gaps: list[tuple[int, int]] = []
        self.gaps_count = 0
        # What was closed since the last comparison: entries, and the bytes that had been announced.
        self._entries, self._sizes = array("Q"), array("Q")
        self._next_entry = self._carried = self._set_back = 0

    def closed(self, entry: int, size: int) -> None:
        """An envelope that left, or may have."""
        self._entries.append(entry)
        self._sizes.append(size)

    def add(self, found: re.Match[str], kind: str) -> None:
        """An entry `reconciled` or `discrepancy`."""
        said = {name: int(found[name]) for name in ("from_ms", "to_ms", "from_entry", *COMPARED)}
        from_ms, to_ms, number = said["from_ms"], said["to_ms"], self._record.count
        goes_on = from_ms == self.until_ms
        if from_ms >= to_ms or to_ms > self._record.last_ms + TIME_BACK_MAX_MS:
            self._record.problem(f"Entry {number} compares a time that ends before it begins, or lies ahead.")
        # Comparisons follow each other by their entries; by the clock only while nobody set it back. Then the entries
        # before this one have told it already, or it does.
        if (
            self.until_ms is not None
            and from_ms < self.until_ms
            and self._set_back == self._record.set_back_count
        ):
            self._record.tell_set_back(self.until_ms, from_ms)
        if self.until_ms is not None and from_ms > self.until_ms:
            self._tell_gap(self.until_ms, from_ms)
        if not self._next_entry <= said["from_entry"] <= (self._next_entry if goes_on else number):
            self._record.problem(f"Entry {number} does not begin where the comparison before it ended.")
        self._judge(said, kind, self._carried if goes_on else 0)
        self.until_ms, self._next_entry, self._set_back = to_ms, number + 1, self._record.set_back_count
        if from_ms < self._record.to_ms and to_ms > self._record.from_ms:
            self._tell(said, kind == "discrepancy")

    def _judge(self, said: dict[str, int], kind: str, carried: int) -> None:
        """What is carried was allowed before and not used, or was ahead of the entry that closes it."""
        number = self._record.count
        sizes = [size for entry, size in zip(self._entries, self._sizes) if entry >= said["from_entry"]]
        self._entries, self._sizes = array("Q"), array("Q")
        if sum(sizes) != said["ledger_bytes"]:
            self._record.problem(
                f"Entry {number} says that the ledger explains {said['ledger_bytes']:,} bytes from "
                f"{moment(said['from_ms'])} to {moment(said['to_ms'])}; its entries say {sum(sizes):,}."
            )
        minutes = min(-(-(said["to_ms"] - said["from_ms"]) // MINUTE_MS), MINUTES_MAX)
        packets, content = said["kernel_packets"], said["kernel_bytes"] - said["header_bytes"]
        headers = HEADER_BYTES_MIN * packets <= said["header_bytes"] <= HEADER_BYTES_MAX * packets
        believed = all(said[name] <= most * minutes for name, most in zip(OWN, OWN_MAX))
        if not headers or content < 0 or not believed:
            self._record.problem(f"Entry {number} explains more by framing than there can have been.")
        events = MESSAGE_BYTES * (said["frames"] + len(sizes)) + said["frame_bytes"]
        events += ATTEMPT_BYTES * said["attempts"] + CONNECTION_BYTES * said["connections"]
        bound = events + MINUTE_BYTES * minutes + said["received_bytes"] // RECEIVED_PART
        bound += (sum(sizes) + said["frame_bytes"]) // SENT_PART
        left = carried + sum(sizes) + bound - content
        unexplained = max(0, -left - self._record.open_bytes)
        framing = max(0, content - sum(sizes) - unexplained)
        self._carried = min(max(left, -self._record.open_bytes), sum(sizes) + events)
        told = (said["framing_bytes"], said["unexplained_bytes"], kind == "discrepancy")
        if told != (framing, unexplained, unexplained > 0):
            self._record.problem(
                f"Entry {number} leaves out bytes that the kernel counted: {unexplained:,} are not explained."
            )

    def _tell_gap(self, from_ms: int, to_ms: int) -> None:
        if from_ms < self._record.to_ms and to_ms > self._record.from_ms:
            self.gaps_count += 1
            self.gaps += [(from_ms, to_ms)] if self.gaps_count <= UNEXPLAINED_TOLD_MAX else []

    def _tell(self, said: dict[str, int], discrepancy: bool) -> None:
        self.from_ms = self.from_ms if self.count else said["from_ms"]
        self.to_ms, self.count = said["to_ms"], self.count + 1
        self.longest_ms = max(self.longest_ms, said["to_ms"] - said["from_ms"])
        for name in COMPARED:
            self.sums[name] += said[name]
        if discrepancy:
            self.discrepancies_count += 1
            self.discrepancies += [said] if self.discrepancies_count <= UNEXPLAINED_TOLD_MAX else []


# --- the check


@dataclass(frozen=True)
class Question:
    """What is asked of an export. Times in ms since 1970, from one inclusive to the other exclusive."""

    log_key: Key | None = None
    witnesses: tuple[Key, ...] = ()
    need: int = 0
    """How many of the witnesses must have signed a checkpoint not older than WITNESS_LATE_MAX_MS at its end."""
    remembered: tuple[Checkpoint, ...] = ()
    """Checkpoints that somebody else kept; the record must contain them."""
    from_ms: int = 0
    to_ms: int = 1 << 62
    progress: Callable[[int], object] = field(default=lambda entries: None, compare=False)
    """Told so many entries were read, every 256."""


@dataclass
class Found:
    """What a check found. `problems` empty: the record is whole."""

    question: Question
    record: Record
    problems: list[str] = field(default_factory=list)
    newest: Checkpoint | None = None
    key: Key | None = None
    cosigned: list[Cosigned] = field(default_factory=list)
    """The last of each witness."""
    not_asked: list[str] = field(default_factory=list)
    """Who else signed, by their own word: no key of theirs was given."""
    earlier: int = 0
    policies_missing: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def verify(source: Source, question: Question) -> Found:
    """Check all of an export. Raises Usage where it may not be read, nothing for what is wrong with it."""
    found = Found(question, Record(question.from_ms, question.to_ms))
    try:
        _check(source, question, found)
    except Wrong as wrong:
        found.problems.append(str(wrong))
    except Usage:
        raise
    except Exception as error:  # hostile bytes make libraries fail in ways that nobody lists
        found.problems.append(f"A file cannot be read: {type(error).__name__}, {plain(error)}.")
    found.problems = found.record.problems + found.problems
    return found


def examine(path: str, question: Question) -> Found:
    """As `verify`, of a folder or a .zip. Raises Usage where nothing of the kind is there."""
    try:
        return verify(open_export(path), question)
    except Usage:
        raise
    except Exception as error:  # as in `verify`
        return Found(
            question, Record(question.from_ms, question.to_ms), [f"This is no export: {plain(error)}"]
        )


def _check(source: Source, question: Question, found: Found) -> None:
    newest = found.newest = Checkpoint(source.read("checkpoint", NOTE_BYTES_MAX), "checkpoint")
    public = _public_key(source, newest)
    key = found.key = question.log_key or Key(own_name(public), LOG_KIND, public)
    if key.public != public or key.name != own_name(public):
        raise Wrong(f"This record was begun under another key than {plain(key.name)}.")
    newest.require_log(key)
    earlier = _earlier(source, newest)
    for checkpoint in (*earlier, *question.remembered):
        checkpoint.require_log(key)
        if checkpoint.size > newest.size:
            raise Wrong(
                f"{plain(checkpoint.name)} knows {checkpoint.size:,} entries, and here are {newest.size:,}: this "
                "export was made before it (ask for a newer one), the end was cut off, or an older state was put back."
            )
    found.earlier = len(earlier)
    known = [newest, *earlier, *question.remembered]
    looks = list(_cosignatures(question.witnesses, known))
    found.cosigned = [max(some, key=lambda one: (one.size, one.time_ms)) for some in looks]
    found.not_asked = _not_asked({key.name, *(one.name for one in question.witnesses)}, known)
    found.record.clocks = Clocks(one for some in looks for one in some)
    found.record.unseen_ms = {one.size: Question.to_ms for one in found.cosigned}
    read = _read_tree(source, newest.size, known, found.record, question.progress)
    found.record.finish()
    _require_witnesses(found)
    read |= {checkpoint.name for checkpoint in (newest, *earlier)}
    read |= _policies(source, found)
    found.strange = sorted(name for name in source.names() if name not in read)


def own_name(public: bytes) -> str:
    """The origin of the log with this key."""
    return f"postern-ledger/{hashlib.sha256(public).hexdigest()[:32]}"


def _public_key(source: Source, newest: Checkpoint) -> bytes:
    name, (first, *_) = _bundle(source, 0, min(TILE, newest.size))
    begin = dict(PATTERNS)["begin"].fullmatch(first.decode("utf-8", "replace"))
    if begin is None:
        raise Wrong(f"{name} does not start with the ledger's beginning.")
    return bytes.fromhex(begin["key"])


def _earlier(source: Source, newest: Checkpoint) -> list[Checkpoint]:
    """Checkpoints of before, which the export brings along."""
    names = [name for name in source.names() if re.fullmatch(r"checkpoints/[1-9][0-9]{0,12}", name)]
    if len(names) > CHECKPOINTS_MAX:
        raise Wrong(f"There are more than {CHECKPOINTS_MAX:,} earlier checkpoints.")
    found = [Checkpoint(source.read(name, NOTE_BYTES_MAX), name) for name in sorted(names)]
    for checkpoint in found:
        if checkpoint.name != f"checkpoints/{checkpoint.size}":
            raise Wrong(f"{checkpoint.name} is of {checkpoint.size:,} entries.")
    return found


def _cosignatures(witnesses: tuple[Key, ...], known: list[Checkpoint]) -> Iterator[list[Cosigned]]:
    """All of each witness that signed any."""
    for witness in witnesses:
        seen = [(checkpoint.size, checkpoint.cosigned_at(witness, witnesses)) for checkpoint in known]
        signed = [Cosigned(witness.name, time_s * 1000, size) for size, time_s in seen if time_s is not None]
        if signed:
            yield signed


def _not_asked(asked: set[str], known: list[Checkpoint]) -> list[str]:
    names = {name for checkpoint in known for name, *_ in checkpoint.signatures}
    return sorted(names - asked)[:UNEXPLAINED_TOLD_MAX]


def _require_witnesses(found: Found) -> None:
    question, record = found.question, found.record
    since_ms = min(question.to_ms, record.last_ms) - WITNESS_LATE_MAX_MS
    # One who signs the same few entries over and over is shown a record that stands still: its own time says little.
    late = sum(1 for one in found.cosigned if min(one.time_ms, record.unseen_ms[one.size]) < since_ms)
    wrong = clock_wrong(record)
    if len(found.cosigned) - late < question.need:
        record.problem(
            f"Of the witnesses given {len(found.cosigned)} have signed it, {late} of them only what was too long "
            f"before its end; {question.need} should.{' The clock of this host was wrong, which may be why.' * wrong}"
        )


def _bundle(source: Source, number: int, width: int) -> tuple[str, list[bytes]]:
    """Name and entries of a tile."""
    name = tile_path("entries", number, width)
    data, found, at = source.read(name, BUNDLE_BYTES_MAX), [], 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data):
            raise Wrong(f"{name} ends in the middle of an entry.")
        if at - start > ENTRY_BYTES_MAX:
            raise Wrong(f"{name} holds an entry longer than {ENTRY_BYTES_MAX:,} bytes.")
        found.append(data[start:at])
    if at != len(data):
        raise Wrong(f"{name} goes on behind its last entry.")
    return name, found


def _read_tree(
    source: Source, size: int, known: list[Checkpoint], record: Record, progress: Callable[[int], object]
) -> set[str]:
    """Every entry against every tile against every checkpoint; returns the files that this took."""
    read: set[str] = set()

    def compare(level: int, number: int, hashes: list[bytes]) -> None:
        name = tile_path(str(level), number, len(hashes))
        read.add(name)
        if source.read(name, TILE * HASH_BYTES) != b"".join(hashes):
            first = number * TILE ** (level + 1)
            raise Wrong(
                f"{name} does not fit what lies under it: entries {first:,} and following, or it, were changed."
            )

    tree, waiting = Tree(compare), sorted(known, key=lambda checkpoint: -checkpoint.size)
    for number in range(-(-size // TILE)):
        before, width = number * TILE, min(TILE, size - number * TILE)
        name, entries = _bundle(source, number, width)
        read.add(name)
        hashes = [leaf_hash(entry) for entry in entries]
        compare(0, number, hashes)
        while waiting and waiting[-1].size <= before + width:
            checkpoint = waiting.pop()
            if tree.root(hashes[: checkpoint.size - before]) != checkpoint.root:
                raise Wrong(
                    f"{plain(checkpoint.name)} is of another record: its root is not that of these entries."
                )
        for entry in entries:
            record.add(entry)
        if width == TILE:
            tree.push(1, root_of(hashes))
        progress(record.count)
    for level, hashes in enumerate(tree.levels):
        if hashes:
            compare(level, tree.tiles[level], hashes)
    return read


def _policies(source: Source, found: Found) -> set[str]:
    """Each policy in the export under its own hash; returns their files, and notes which are named and not there."""
    read: set[str] = set()
    here: set[str] = set()
    for name in source.names():
        parts = re.fullmatch(r"policies/([0-9a-f]{64})\.(?:json|toml)", name)
        if parts:
            if len(read) == GROUPS_MAX:
                raise Wrong(f"There are more than {GROUPS_MAX:,} policies.")
            read.add(name)
            here.add(parts[1])
            if hashlib.sha256(source.read(name, POLICY_BYTES_MAX)).hexdigest() != parts[1]:
                found.record.problem(f"{name} is not the policy that its name promises: it was changed.")
    found.policies_missing = sorted(found.record.policies - here)
    return read


# --- the answer


def moment(time_ms: int) -> str:
    """A time for a person, in UTC."""
    try:
        return (EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return f"{time_ms} ms since 1970"


EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def document(found: Found) -> dict[str, Any]:
    """The answer for programs. Times in ms since 1970."""
    record, compared = found.record, found.record.compared
    left = [
        {**dict(zip(GROUP, map(plain, group))), **dict(zip(COUNTED, sums))}
        for group, sums in sorted(record.left.items())
    ]
    whole = not found.problems
    times = uncompared(record)
    explained = not (compared.discrepancies_count or compared.gaps_count or times or clock_wrong(record))
    return {
        "ok": whole and explained,
        "whole": whole,
        "explained": explained,
        "problems": found.problems,
        "origin": plain(found.newest.origin) if found.newest else "",
        "entries": record.count,
        "root": found.newest.root.hex() if found.newest else "",
        "log_key": found.key.vkey() if found.key else "",
        "log_key_given": found.question.log_key is not None,
        "cosigned": [
            {"name": plain(one.name), "time_ms": one.time_ms, "entries": one.size} for one in found.cosigned
        ],
        "earlier_checkpoints": found.earlier,
        "software": plain(record.software),
        "previous": record.previous,
        "lost": record.lost,
        "first_ms": record.first_ms,
        "last_ms": record.last_ms,
        "in_record": in_record(record),
        "from_ms": max(record.from_ms, record.first_ms) if in_record(record) else record.from_ms,
        "to_ms": min(record.to_ms, record.last_ms + 1) if in_record(record) else record.to_ms,
        "left": left,
        "open": len(record.open),
        "open_connections": sum(1 for one in record.open.values() if one.kind == CONNECTIONS),
        "compared": {"count": compared.count, "from_ms": compared.from_ms, "to_ms": compared.to_ms}
        | {"longest_ms": compared.longest_ms, **compared.sums},
        "discrepancies": compared.discrepancies,
        "discrepancies_count": compared.discrepancies_count,
        "gaps": [{"from_ms": from_ms, "to_ms": to_ms} for from_ms, to_ms in times + compared.gaps],
        "gaps_count": compared.gaps_count + len(times),
        "set_back": [
            {"entry": entry, "from_ms": from_ms, "to_ms": to_ms} for entry, from_ms, to_ms in record.set_back
        ],
        "set_back_count": record.set_back_count,
        "clock_wrong": [
            {"entry": entry, "time_ms": time_ms, "witness": plain(look.name), "seen_ms": look.time_ms}
            | {"entries": look.size}
            for entry, time_ms, look in record.clocks.wrong
        ],
        "clock_wrong_count": record.clocks.wrong_count,
        "policies": sorted(record.policies),
        "policies_missing": found.policies_missing,
        "files_not_read": len(found.strange),
        "anything_else": anything_else(found),
        "claimed": claimed(found),
        "not_claimed": not_claimed(found),
    }


def in_record(record: Record) -> bool:
    """Whether the record has anything of the time that was asked for."""
    return record.first_ms < record.to_ms and record.from_ms <= record.last_ms


def clock_wrong(record: Record) -> bool:
    """Whether what is of a time may stand under another."""
    return record.set_back_count + record.clocks.wrong_count > 0


def uncompared(record: Record) -> list[tuple[int, int]]:
    """Of the time that was asked for, else of the record's: what of it was compared with the kernel's counters by
    nobody, before the first comparison and after the last. In ms since 1970."""
    compared = record.compared
    from_ms = record.from_ms or record.first_ms
    to_ms = record.to_ms if record.to_ms < Question.to_ms else max(record.last_ms, from_ms)
    if not compared.count:
        return [(from_ms, to_ms)]
    if record.set_back_count:  # then times say little, and that is told
        return []
    ends = ((from_ms, compared.from_ms), (compared.to_ms, to_ms))
    return [(one, other) for one, other in ends if other - one > MINUTES_MAX * MINUTE_MS]


def anything_else(found: Found) -> str:
    """Whether more left than the entries say, in a sentence."""
    record, compared = found.record, found.record.compared
    sums = compared.sums
    if found.problems:
        return "Nothing of this export can be relied on."
    if not in_record(record):
        return "Nobody can tell: the record has nothing of this time."
    if not compared.count:
        return "Nobody can tell: in this time nothing was compared with the kernel's counters."
    courier = _of_the_courier(record)
    if sums["others_sent_bytes"]:
        return (
            f"Yes: {_others(sums)}, which no entry tells. Of the courier: {courier[0].lower()}{courier[1:]}"
        )
    return courier


def _of_the_courier(record: Record) -> str:
    sums = record.compared.sums
    if sums["unexplained_bytes"]:
        return f"Yes: {sums['unexplained_bytes']:,} bytes that the kernel counted and no entry explains."
    framing = f"{sums['framing_bytes']:,} bytes of framing, which is within its bound and not looked into"
    if sums["lan_bytes"]:
        framing += f", and {sums['lan_bytes']:,} bytes from the node to the site's own network"
    if clock_wrong(record):
        late_word = "the clock was wrong, so nobody can tell if it is all"
        return f"Not by what was compared, but for {framing}; {late_word}."
    if record.compared.gaps_count or uncompared(record):
        some = "some of this time was not"
        return f"Not while it was compared with the kernel's counters, but for {framing}; {some}."
    return f"No, by the kernel's counters, but for {framing}."


def _others(sums: dict[str, int]) -> str:
    return f"other users of this host, or machines that it forwards for, sent {sums['others_sent_bytes']:,} bytes"


def claimed(found: Found) -> list[str]:
    """What this record shows, in sentences."""
    if found.problems:
        return []
    record, compared = found.record, found.record.compared
    says = [f"No entry of {record.count:,} was changed, put in, left out or moved since they were signed."]
    for one in found.cosigned:
        what = "this very record" if one.size == record.count else f"its first {one.size:,} entries"
        says.append(f"{plain(one.name)} saw {what} at {moment(one.time_ms)}.")
    if not compared.count:
        return says
    from_ms, to_ms = max(compared.from_ms, record.from_ms), min(compared.to_ms, record.to_ms)
    times = f"from {moment(from_ms)} to {moment(to_ms)}"
    if compared.gaps_count:
        times += f", but for times between that were not compared: {compared.gaps_count:,}"
    sums = compared.sums
    host = "the courier of this host" if sums["others_sent_bytes"] else "this host"
    if unexplained := sums["unexplained_bytes"]:
        says.append(
            f"Kernel-counted egress of {host} {times}, but for {unexplained:,} bytes that the kernel counted and "
            "this record does not explain."
        )
    elif clock_wrong(record):
        says.append(
            f"Kernel-counted egress of {host}, where it was compared, {times}; the clock was wrong, so it is "
            "not known what of this time was."
        )
    else:
        says.append(f"Complete for kernel-counted egress of {host} {times}.")
    says.append(
        f"Of {sums['kernel_bytes']:,} bytes that the kernel counted of the courier, {sums['header_bytes']:,} were "
        f"headers of IP and TCP, {sums['ledger_bytes']:,} are announced by the entries above, "
        f"{sums['framing_bytes']:,} were framing within its bound, {unexplained:,} are not explained."
    )
    if sums["other_packets"]:
        says.append(
            f"{sums['other_packets']:,} packets more, of {sums['other_bytes']:,} bytes, were tried and did not leave: "
            "the kernel refused them."
        )
    return says


def not_claimed(found: Found) -> list[str]:
    """What it does not show, in sentences."""
    record, compared, says = found.record, found.record.compared, []
    if found.problems:
        return ["Nothing of this export can be relied on."]
    own_word = "nothing but the ledger's own word stands for completeness"
    from_ms, to_ms = max(record.from_ms, record.first_ms), min(record.to_ms, record.last_ms)
    if not compared.count:
        says.append(f"Nobody compared it with the kernel's counters in this time: {own_word}.")
        says.append("What other users of this host sent is not in it.")
    else:
        if compared.from_ms > from_ms:
            says.append(f"Before {moment(compared.from_ms)} {own_word}.")
        if compared.to_ms < to_ms:
            says.append(f"After {moment(compared.to_ms)} {own_word}.")
        says.append(
            f"Framing is not looked into: {compared.sums['framing_bytes']:,} bytes of all this time could be others."
        )
        if compared.sums["others_sent_bytes"]:
            says.append(f"Besides, {_others(compared.sums)}: what and to whom is not in it.")
        if compared.longest_ms > MINUTES_MAX * MINUTE_MS:
            says.append(
                f"The longest time that was compared as one had {compared.longest_ms // MINUTE_MS:,} minutes."
            )
    says.append(_of_the_clock(found))
    if record.from_ms < record.first_ms and record.from_ms:
        says.append(f"It begins at {moment(record.first_ms)}: of what was before it knows nothing.")
    if record.last_ms < record.from_ms or record.last_ms < record.to_ms < Question.to_ms:
        says.append(f"It ends at {moment(record.last_ms)}: of what came then it knows nothing.")
    if record.lost:
        says.append(_of_what_was_lost(record))
    elif record.previous:
        says.append(f"It follows an older record that was set aside, with the root {record.previous}.")
    if found.question.log_key is None:
        says.append(
            "The key came with the record, so it vouches for itself: compare it with what you were told."
        )
    unseen = record.count - max((one.size for one in found.cosigned), default=0)
    if found.cosigned and unseen:
        says.append(
            f"The last {unseen:,} entries no witness of yours has seen: they could have been written anew."
        )
    elif not found.cosigned:
        says.append("No witness of yours stands for it: who has the machine could have written it all anew.")
    if found.not_asked:
        names = ", ".join(map(plain, found.not_asked))
        says.append(f"It carries signatures that nobody checked: give the keys with --witness ({names}).")
    says.append("What the site's own network, a second machine or a person passes on is not in it.")
    return says


def _of_what_was_lost(record: Record) -> str:
    """Of the record before this one."""
    last = f" A witness had signed it with the root {record.previous}." if record.previous else ""
    return f"It follows an older one that lost {record.lost:,} entries or more: nobody can show what they said.{last}"


def _of_the_clock(found: Found) -> str:
    clocks, own = found.record.clocks, "Times are those of this host's clock"
    if not found.cosigned:
        return f"{own}: no witness of yours says how wrong it can have been."
    if not clocks.between:
        return f"{own}: what a witness of yours saw was written by then, but nothing says how long before."
    minutes = -(-clocks.within_ms // MINUTE_MS)
    span = f"{minutes:,} minutes" if minutes < 120 else f"{-(-minutes // 60):,} hours"
    return (
        f"{own}. Between the first and the last time that a witness of yours saw it grow, it can have been wrong by "
        f"{span}, as witnesses' clocks go; before and after, nothing says by how much."
    )


def in_words(told: dict[str, Any]) -> str:
    """The answer for a person, from `document`."""
    if not told["whole"]:
        lines = ["WRONG. This record is not what it should be, so nothing that it says is told here."]
        return "\n".join(lines + [f"  - {problem}" for problem in told["problems"]]) + "\n"
    missing = [] if told["log_key_given"] else ["key"]
    missing += [] if told["cosigned"] else ["witness"]
    alone = (
        f" in itself, and no {' and no '.join(missing)} of yours stands for it (see the end)"
        if missing
        else ""
    )
    times = f"{moment(told['first_ms'])} to {moment(told['last_ms'])}"
    lines = [
        f"The record is whole{alone}: {_number(told['entries'], 'entry', 'entries')}, {times}.",
        f"  key   {told['log_key']}"
        + ("" if told["log_key_given"] else "  (not given: taken from the record itself)"),
        f"  root  {told['root']}",
        "",
        *_answer_in_words(told),
    ]
    lines += ["", f"Did anything else leave this host? {told['anything_else']}"]
    if told["in_record"]:
        lines += ["", "Texts among it, by the policy and the verdict that let them go:"]
        lines += [
            f"  {one['envelopes']:,} x {one['verdict']}, {one['bytes']:,} bytes, policy {one['policy']}"
            + (" (not in this export)" if one["policy"] in told["policies_missing"] else "")
            for one in told["left"]
            if one["policy"]
        ] or ["  none"]
    lines += ["", "What was never explained:", *_unexplained_in_words(told)]
    if told["open"]:
        open_ = _number(told["open_connections"], "connection", "connections")
        open_ += f", {_number(told['open'] - told['open_connections'], 'envelope', 'envelopes')}"
        lines += ["", f"Open when this was signed, as what is under way is: {open_}."]
    lines += ["", "This shows:", *(f"  - {one}" for one in told["claimed"])]
    lines += ["This does not show:", *(f"  - {one}" for one in told["not_claimed"])]
    if told["files_not_read"]:
        lines.append(
            f"{told['files_not_read']:,} more files lie here that are no part of it; they were not read."
        )
    return "\n".join(lines) + "\n"


def _answer_in_words(told: dict[str, Any]) -> list[str]:
    period = f"from {moment(told['from_ms'])}"
    period += f" to {moment(told['to_ms'] - 1)}" if told["to_ms"] < Question.to_ms else " on"
    warned = ["  THE CLOCK WAS WRONG (below): what left then may stand under another time."]
    warned = warned if told["set_back_count"] or told["clock_wrong_count"] else []
    if not told["in_record"]:
        return [f"What left {period}: this record has nothing of that time, so it does not say.", *warned]
    return [
        f"What left {period}, by this host's clock:",
        *warned,
        *_left_in_words(told["left"]),
    ]


def _number(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _left_in_words(groups: list[dict[str, Any]]) -> list[str]:
    if all(one["kind"] == CONNECTIONS for one in groups):
        lines = ["  no envelope, and these connections:" if groups else "  nothing"]
    else:
        lines = []
    before = ("", "")
    for one in sorted(groups, key=_told_in_order):
        whom = one["destination"], one["destination_key"]
        # A connection that is open has shown no key yet: it stands below what went over it.
        if whom != before and (whom[1] or one["kind"] != CONNECTIONS or whom[0] != before[0]):
            before = whom
            key = f"whose key was under {whom[1]}" if whom[1] else "no answer from it is recorded"
            lines.append(f"  to {whom[0]}, {key}")
        line = f"    {one['kind']}: {_times(one['envelopes'])}, {one['bytes']:,} bytes"
        line += f", {one['rows']:,} rows" if one["rows"] else ""
        line += (
            f", {one['tokens_up']:,} tokens there, {one['tokens_down']:,} back" if one["tokens_up"] else ""
        )
        line += f"; {one['not_sent']:,} of them not sent" if one["not_sent"] else ""
        if one["uncertain"] and one["kind"] == CONNECTIONS:
            line += (
                f"; of {one['uncertain']:,} the end is not recorded, nor how much their own frames came to"
            )
        elif one["uncertain"]:
            line += f"; of {one['uncertain']:,} it is not known how much left: up to {one['bytes_perhaps']:,} bytes"
        lines.append(line)
    return lines


def _told_in_order(one: dict[str, Any]) -> tuple[Any, ...]:
    """What had an answer first, connections last."""
    named, key = one["destination"], one["destination_key"]
    return named, not key, key, one["kind"] == CONNECTIONS, one["kind"], one["policy"], one["verdict"]


def _unexplained_in_words(told: dict[str, Any]) -> list[str]:
    lines = [
        f"  {moment(one['from_ms'])} to {moment(one['to_ms'])}: {one['unexplained_bytes']:,} bytes of "
        f"{one['kernel_bytes']:,}; refused by the kernel, of any user: {one['other_bytes']:,} bytes, "
        f"{one['other_packets']:,} packets"
        for one in told["discrepancies"]
    ]
    if (others := told["discrepancies_count"] - len(lines)) > 0:
        lines.append(f"  and {others:,} more such times")
    lines += [
        f"  {moment(one['from_ms'])} to {moment(one['to_ms'])}: not compared with the kernel's counters"
        for one in told["gaps"]
    ]
    if (more := told["gaps_count"] - len(told["gaps"])) > 0:
        lines.append(f"  and {more:,} more times that were not compared")
    lines += [
        f"  the clock was set back at entry {one['entry']:,}: {moment(one['from_ms'])}, then {moment(one['to_ms'])}"
        for one in told["set_back"]
    ]
    if (more := told["set_back_count"] - len(told["set_back"])) > 0:
        lines.append(f"  and {more:,} more times that the clock was set back")
    lines += [
        f"  the clock was wrong at entry {one['entry']:,}: by it that was at {moment(one['time_ms'])}; "
        f"{one['witness']} saw {one['entries']:,} entries at {moment(one['seen_ms'])}"
        for one in told["clock_wrong"]
    ]
    if (more := told["clock_wrong_count"] - len(told["clock_wrong"])) > 0:
        lines.append(f"  and at {more:,} more entries")
    return lines or ["  nothing"]


# --- a visitor's receipt

RECEIPT_CONTEXT = b"postern visitor receipt 1\n"
_LEAF = {"index": int, "entry": str, "proof": [str]}
_ENDED = {"outcome": str, "addresses": [str], "policy": str, "verdict": str, "leaves": [_LEAF]}
_LEFT = {"at_ms": int, "purpose": str, "bytes": int, "label": str, "envelope": str, "destination": str}
# Several machines may have been asked for one text: that outcome is told after which the most may have left.
WORST_FIRST = ("written", "unknown", "failed", "open", "not_sent")
# What a receipt holds: names of an object, a list of one kind, either of two, a type. Nothing more and nothing less.
RECEIPT = {
    "session_id": str,
    "at_ms": int,
    "left_bytes": int,
    "left": [{**_LEFT, "record": (_ENDED, type(None))}],
    "site_network": [{"at_ms": int, "service": str, "bytes": int, "outcome": str}],
    "claim": str,
    "proof": ({"log_key": str, "checkpoint": str, "entries": int}, type(None)),
    "proof_missing": str,
    "format": str,
    "key": str,
    "signature": str,
}


@dataclass
class Receipt:
    """A receipt that holds. `said`: all of it; the checkpoint and the log's key where it has a proof.

    `site_key_given`, `log_key_given`: that somebody else told this key, and the receipt holds by it.
    """

    said: dict[str, Any]
    site_key_given: bool = False
    log_key_given: bool = False
    checkpoint: Checkpoint | None = None
    log_key: Key | None = None


def read_receipt(data: bytes, site_key: bytes | None = None, log_key: Key | None = None) -> Receipt:
    """Check one by itself: form, signature, sums, and every entry against its checkpoint. Raises Wrong.

    `site_key`: 32 bytes, as somebody else told it; without one the receipt's own is taken.
    """
    said = _receipt_of(data)
    public = _hex(said["key"], HASH_BYTES)
    if site_key not in (None, public):
        raise Wrong("This receipt is signed by another key than the site's that was given.")
    body = {name: value for name, value in said.items() if name != "signature"}
    signed = RECEIPT_CONTEXT + json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8", "replace")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(said["signature"], validate=True), signed
        )
    except (InvalidSignature, ValueError):
        raise Wrong(
            "This receipt was changed since the site signed it, or the site did not sign it."
        ) from None
    if said["left_bytes"] != sum(one["bytes"] for one in said["left"]):
        raise Wrong("The bytes of what left do not come to the sum that this receipt tells.")
    receipt = Receipt(said, site_key_given=site_key is not None)
    _require_proof(receipt, log_key)
    return receipt


def _receipt_of(data: bytes) -> dict[str, Any]:
    """Raises Wrong for what has not the form of one."""
    said: Any = None
    try:
        if len(data) <= RECEIPT_BYTES_MAX:
            said = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        pass
    if not _shaped(said, RECEIPT) or said["format"] != RECEIPT_FORMAT:
        raise Wrong("This is not a visitor's receipt in the form that this program knows.")
    return dict(said)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A second value under a name could show what was never signed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _shaped(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        return (
            isinstance(value, dict)
            and value.keys() == shape.keys()
            and all(_shaped(value[name], shape[name]) for name in shape)
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(_shaped(one, shape[0]) for one in value)
    if isinstance(shape, tuple):
        return any(_shaped(value, one) for one in shape)
    return type(value) is shape and not (shape is int and value < 0)


def _hex(text: str, size: int) -> bytes:
    """Raises Wrong."""
    if not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text):
        raise Wrong(f"A key or a hash in this receipt is not {size} bytes in hexadecimal.")
    return bytes.fromhex(text)


def _require_proof(receipt: Receipt, log_key: Key | None) -> None:
    """The checkpoint by the log's key, and every entry by the checkpoint. Raises Wrong."""
    said, proof = receipt.said, receipt.said["proof"]
    named = [one for one in said["left"] if one["envelope"]]
    if len({one["envelope"] for one in named}) < len(named):
        raise Wrong("This receipt names an envelope twice.")
    if any(one["record"] for one in said["left"] if proof is None or not one["envelope"]):
        raise Wrong("This receipt tells what the record has, and does not prove it.")
    if (proof is None) != bool(said["proof_missing"]):
        raise Wrong("This receipt contradicts itself on whether it has a proof.")
    if proof is None:
        return
    try:
        key = receipt.log_key = Key.parse(proof["log_key"], LOG_KIND)
    except Usage as error:
        raise Wrong(str(error)) from None
    if key.name != own_name(key.public) or (log_key and log_key.public != key.public):
        raise Wrong(f"The record that this receipt is proven by has another key than {plain(key.name)}.")
    checkpoint = Checkpoint(proof["checkpoint"].encode("utf-8", "replace"), "the receipt's checkpoint")
    checkpoint.require_log(key)
    receipt.checkpoint, receipt.log_key_given = checkpoint, log_key is not None
    if proof["entries"] != checkpoint.size:
        raise Wrong("This receipt's checkpoint is of another number of entries than it tells.")
    for one in named:
        if one["record"] is None:
            raise Wrong(f"Of the envelope {plain(one['envelope'])} it is not told what the record has.")
        _require_record(one, one["record"], checkpoint)


def _require_record(left: dict[str, Any], record: dict[str, Any], checkpoint: Checkpoint) -> None:
    """That its entries are in the record, of this envelope, and come to what is told of it. Raises Wrong."""
    envelope, before, open_ = left["envelope"], -1, False
    ended = {"policy": "", "verdict": ""}
    attempts: list[tuple[str, str]] = []
    for leaf in record["leaves"]:
        kind, found = _parsed(leaf["entry"])
        hashes = [_hex(one, HASH_BYTES) for one in leaf["proof"]]
        if found is None or kind not in ("intent", "close") or found["envelope"] != envelope:
            raise Wrong(f"An entry told of the envelope {plain(envelope)} is none of it.")
        if leaf["index"] <= before or (kind == "intent") == open_:
            raise Wrong(f"The entries of the envelope {plain(envelope)} do not follow each other.")
        if not _includes(checkpoint, leaf["index"], leaf_hash(leaf["entry"].encode()), hashes):
            raise Wrong(f"Entry {leaf['index']:,} is not in the record as this receipt tells it.")
        before, open_ = leaf["index"], kind == "intent"
        if open_:
            if int(found["bytes"]) != left["bytes"]:
                raise Wrong(
                    f"The record has another size of the envelope {plain(envelope)} than this receipt."
                )
            ended = {name: found[name] for name in ("policy", "verdict")}
            attempts.append((found["destination"], "open"))
        else:
            if not _sum_fits(found["outcome"], int(found["bytes"]), left["bytes"]):
                raise Wrong(f"Entry {leaf['index']:,} says that more or less was sent than can be.")
            attempts[-1] = (attempts[-1][0], found["outcome"])
    told: dict[str, Any] = {
        **ended,
        "outcome": min((outcome for _, outcome in attempts), key=WORST_FIRST.index, default="absent"),
        "addresses": list(dict.fromkeys(to for to, outcome in attempts if outcome != "not_sent")),
    }
    if {name: record[name] for name in told} != told or ended["verdict"] not in ("", left["label"]):
        raise Wrong(f"This receipt tells something else of the envelope {plain(envelope)} than the record.")


def _includes(checkpoint: Checkpoint, index: int, leaf: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 2.1.3.2."""
    node, last, hashed = index, checkpoint.size - 1, leaf
    if node > last:
        return False
    for one in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            hashed = hashlib.sha256(b"\x01" + one + hashed).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = hashlib.sha256(b"\x01" + hashed + one).digest()
        node, last = node >> 1, last >> 1
    return last == 0 and hashed == checkpoint.root


def receipt_document(receipt: Receipt, against: Found | None) -> dict[str, Any]:
    """The answer on a receipt for programs. `against`: an export that was checked, with the receipt's checkpoint."""
    said, problems = receipt.said, list(against.problems) if against else []
    return {
        "ok": not problems,
        "problems": problems,
        "at_ms": said["at_ms"],
        "left_bytes": said["left_bytes"],
        "left": [
            {**{name: plain(one[name]) for name in _LEFT}, "at_ms": one["at_ms"], "bytes": one["bytes"]}
            | {"outcome": plain(one["record"]["outcome"]) if one["record"] else ""}
            | {"addresses": [plain(to) for to in one["record"]["addresses"]] if one["record"] else []}
            | {"policy": one["record"]["policy"] if one["record"] else ""}
            | {"entries": [leaf["index"] for leaf in one["record"]["leaves"]] if one["record"] else []}
            for one in said["left"]
        ],
        "site_network_bytes": sum(one["bytes"] for one in said["site_network"]),
        "entries": receipt.checkpoint.size if receipt.checkpoint else 0,
        "proof_missing": plain(said["proof_missing"]),
        "site_key": said["key"],
        "site_key_given": receipt.site_key_given,
        "log_key": receipt.log_key.vkey() if receipt.log_key else "",
        "log_key_given": receipt.log_key_given,
        "record_given": against is not None,
        "anything_else": anything_else(against) if against else "",
        "claimed": [] if problems else _receipt_claimed(receipt, against),
        "not_claimed": _receipt_not_claimed(receipt, against),
    }


def _receipt_claimed(receipt: Receipt, against: Found | None) -> list[str]:
    said = receipt.said
    who = "The site" if receipt.site_key_given else "Whoever has this key"
    says = [f"{who} said so at {moment(said['at_ms'])}, and nothing of it was changed since."]
    if receipt.checkpoint is None:
        return says
    count = sum(len(one["record"]["leaves"]) for one in said["left"] if one["record"])
    if count:
        says.append(
            f"{count:,} entries of the record say what this receipt says, among {receipt.checkpoint.size:,}."
        )
    else:
        says.append(
            f"The record had {receipt.checkpoint.size:,} entries then; the site says that none is of this."
        )
    if against is not None:
        says.append(
            "The record given goes on from there: none of those entries was changed, left out or moved."
        )
    return says


def _receipt_not_claimed(receipt: Receipt, against: Found | None) -> list[str]:
    said, says = receipt.said, []
    if not receipt.site_key_given:
        says.append(
            "Whose it is: the key came with the receipt, and anybody can make one. "
            "Compare it with keys/receipts.pub as you were told it."
        )
    if receipt.checkpoint is None:
        says.append(
            f"It has no proof from the record ({plain(said['proof_missing'])}): all is the site's word."
        )
    says.append("That no other entry is of this conversation is the site's word: the record names nobody.")
    if absent := sum(1 for one in said["left"] if one["record"] and not one["record"]["leaves"]):
        says.append(f"That the record has no entry of {absent:,} of these envelopes is the site's word, too.")
    if any(not one["envelope"] for one in said["left"]):
        says.append(
            "What another node of the site let out before is a sum here; that node's record has the rest."
        )
    if against is None:
        says.append(
            "That all that left is in the record: a receipt does not tell whether anybody compared that with the "
            "kernel's counters. An export does."
        )
    if receipt.checkpoint is not None and against is None:
        says.append("No export was given: whether others are shown the same record, it alone does not tell.")
    says.append(
        "What other users of the site's machine send, and what its own network, a second machine or a person passes "
        "on, is not in it."
    )
    return says


def receipt_in_words(told: dict[str, Any]) -> str:
    """The answer on a receipt for a person, from `receipt_document`."""
    if not told["ok"]:
        lines = [
            "WRONG, or too old. The receipt holds by itself; with the record that was given it does not."
        ]
        return "\n".join(lines + [f"  - {problem}" for problem in told["problems"]]) + "\n"
    whole = f"not changed since it was signed at {moment(told['at_ms'])}"
    own, first = "", f"This receipt is genuine: it is the site's, {whole}."
    if not told["site_key_given"]:
        own = "  (not given: taken from the receipt itself)"
        first = f"This receipt was {whole}. Whether the site signed it is not known: no --site-key was given."
    lines = [
        first,
        f"  key it holds by    {told['site_key']}{own}",
        f"  key of the record  {told['log_key'] or 'none: ' + told['proof_missing']}",
        "",
        f"What was let out of the building, as it says: {told['left_bytes']:,} bytes in {len(told['left']):,} texts.",
    ]
    for one in told["left"]:
        what = f"  {moment(one['at_ms'])}: {one['bytes']:,} bytes, passed as {one['label']}"
        what += f", to {' and '.join(one['addresses'])}" if one["addresses"] else ""
        what += f", policy {one['policy']}" if one["policy"] else ""
        what += f"; {one['outcome'] or 'how it ended is not told'}"
        numbers = ", ".join(f"{number:,}" for number in one["entries"])
        lines.append(what + (f" (entries {numbers})" if numbers else ""))
    lines.append(f"What servers of the site's own network were told: {told['site_network_bytes']:,} bytes.")
    if told["anything_else"]:
        lines.append(f"Did anything else leave the host, of that day until then? {told['anything_else']}")
    lines += ["", "This shows:", *(f"  - {one}" for one in told["claimed"])]
    lines += ["This does not show:", *(f"  - {one}" for one in told["not_claimed"])]
    return "\n".join(lines) + "\n"


def _site_key(path: str | None) -> bytes | None:
    """The 32 bytes of a file like keys/receipts.pub. Raises Usage."""
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            key = load_pem_public_key(file.read(NOTE_BYTES_MAX))
    except (OSError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Usage(f"{plain(path)} is not the public key of a site's receipts (keys/receipts.pub).")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _receipt_told(asked: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """What there is to say of the receipt, alone or with the export, and in words. Raises Usage."""
    if not asked.export and (asked.witness or asked.checkpoint or asked.need is not None):
        raise Usage("Witnesses and checkpoints are compared with an export: give one beside the receipt.")
    if asked.first_day or asked.last_day:
        raise Usage("A receipt is of one conversation: there are no days to ask for.")
    log_key = Key.parse(asked.log_key, LOG_KIND) if asked.log_key else None
    site_key = _site_key(asked.site_key)
    try:
        with open(asked.receipt, "rb") as file:
            data = file.read(RECEIPT_BYTES_MAX + 1)
    except OSError as error:
        raise Usage(f"{plain(asked.receipt)} cannot be read: {error.strerror}.") from None
    try:
        receipt = read_receipt(data, site_key, log_key)
        told = receipt_document(receipt, _examined(receipt, asked) if asked.export else None)
    except Wrong as wrong:
        return {"ok": False, "problems": [str(wrong)]}, f"WRONG. {wrong}\n"
    return told, receipt_in_words(told)


def _examined(receipt: Receipt, asked: argparse.Namespace) -> Found:
    """The export, from the day of the first text to the receipt. Raises Usage, Wrong."""
    if receipt.checkpoint is None:
        raise Wrong("This receipt has no proof, so there is nothing to compare with the export.")
    question = ask(asked.log_key, asked.witness, asked.need, asked.checkpoint)
    at_ms = receipt.said["at_ms"]
    first_ms = min((one["at_ms"] for one in receipt.said["left"]), default=at_ms)
    question = replace(
        question,
        remembered=(*question.remembered, receipt.checkpoint),
        from_ms=first_ms - first_ms % (24 * 60 * MINUTE_MS),
        to_ms=max(at_ms, first_ms) + 1,
        progress=_progress(),
    )
    return examine(asked.export, question)


# --- the command line


def _day_ms(text: str) -> int:
    try:
        return (datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc) - EPOCH) // timedelta(
            milliseconds=1
        )
    except ValueError:
        raise Usage(f"{plain(text)} is not a day: write 2026-03-31.") from None


def ask(
    log_key: str | None = None,
    witnesses: Iterable[str] = (),
    need: int | None = None,
    checkpoints: Iterable[str] = (),
    first_day: str | None = None,
    last_day: str | None = None,
) -> Question:
    """A question from its words; days are UTC, both inclusive. Raises Usage, Wrong."""
    parsed = [Key.parse(one, WITNESS_KIND) for one in witnesses]
    keys = tuple({key.public: key for key in parsed}.values())  # given twice it is still one witness
    wanted = len(keys) if need is None else need
    if not 0 <= wanted <= len(keys):
        raise Usage(f"{wanted} witnesses cannot be asked for, of {len(keys)} that were given.")
    from_ms = _day_ms(first_day) if first_day else 0
    to_ms = _day_ms(last_day) + 24 * 60 * MINUTE_MS if last_day else Question.to_ms
    if from_ms >= to_ms:
        raise Usage("The last day is before the first.")
    remembered = tuple(map(_remembered, checkpoints))
    return Question(
        Key.parse(log_key, LOG_KIND) if log_key else None, keys, wanted, remembered, from_ms, to_ms
    )


def _remembered(path: str) -> Checkpoint:
    try:
        with open(path, "rb") as file:
            return Checkpoint(file.read(NOTE_BYTES_MAX), path)
    except OSError as error:
        raise Usage(f"{plain(path)} cannot be read: {error.strerror}.") from None


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Check an export of a Postern egress ledger, and say what left the site."
    )
    parser.add_argument("export", nargs="?", help="a folder, or a .zip of it")
    parser.add_argument(
        "--receipt", metavar="FILE", help="check a visitor's receipt, alone or with the export"
    )
    parser.add_argument(
        "--site-key", metavar="FILE", help="with --receipt: the site's keys/receipts.pub, as you were told it"
    )
    parser.add_argument("--log-key", metavar="VKEY", help="the log's key, as the site told you")
    parser.add_argument(
        "--witness", metavar="VKEY", action="append", default=[], help="a witness's key; may be repeated"
    )
    parser.add_argument(
        "--need", type=int, metavar="N", help="so many of the witnesses must have signed (default: all)"
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", action="append", default=[], help="one that you kept; may be repeated"
    )
    parser.add_argument(
        "--from", metavar="DAY", dest="first_day", help="first day of the answer, 2026-03-01 (UTC)"
    )
    parser.add_argument(
        "--to", metavar="DAY", dest="last_day", help="last day of the answer, 2026-03-31 (UTC)"
    )
    parser.add_argument("--json", action="store_true", help="the answer for programs")
    asked = parser.parse_args(arguments)
    if not asked.receipt and not asked.export:
        parser.error("give an export, or --receipt with a receipt")
    try:
        told, words = _receipt_told(asked) if asked.receipt else _told(asked)
        _say(json.dumps(told, indent=1) + "\n" if asked.json else words)
    except Usage as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Stopped: nothing is known of it.\n")
        return 130
    return status_of(told)


def status_of(told: dict[str, Any]) -> int:
    """The exit status; `told`: what `document` or `receipt_document` say."""
    if told["ok"]:
        return 0
    found = (
        told["problems"] or told["discrepancies_count"] or told["set_back_count"] or told["clock_wrong_count"]
    )
    return 3 if found else 6


def _told(asked: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """What there is to say of the export, and in words. Raises Usage."""
    if asked.site_key:
        raise Usage("--site-key is of a receipt: give that with --receipt.")
    days = asked.first_day, asked.last_day
    try:
        question = ask(asked.log_key, asked.witness, asked.need, asked.checkpoint, *days)
    except Wrong as wrong:
        raise Usage(str(wrong)) from None
    told = document(examine(asked.export, replace(question, progress=_progress())))
    return told, in_words(told)


def _progress() -> Callable[[int], object]:
    """Says on a terminal how far it is, every two seconds."""
    said_s = time.monotonic()

    def progress(entries: int) -> None:
        nonlocal said_s
        if sys.stderr.isatty() and time.monotonic() - said_s >= PROGRESS_S:
            said_s = time.monotonic()
            sys.stderr.write(f"{entries:,} entries ...\n")

    return progress


def _say(text: str) -> None:
    """Raises Usage where nobody takes it: a disk that is full, a pipe that was closed."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python tries once more when it ends
        raise Usage(f"The answer cannot be written: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(main())
