"""Every single-bit change, cut, move and repetition of an export: does the verifier find it? Part of `ledger`.

A full check of 10,000 entries for each of some 30 million bits would take months. The verifier is a conjunction of
checks, each of one unit, and a bit lies in exactly one unit: an entry (its hash must be the one in its tile), the
length before an entry (its tile's entries must come out as those with the hashes), a tile of hashes (must be, byte
for byte, what is under it), a checkpoint or a policy (signature, hash). So each bit is turned and its unit checked, by
the verifier's own functions; and a sample of all places goes through whole runs, which shows that a unit's finding is
the run's finding. The bits of tiles are not turned one by one, and not counted among those: that two strings of bytes
differ where a bit was turned shows nothing. Whole runs have some of each tile.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from edge.egress import verify
from tests import ledger_exports as exports
from tests.bench import harness
from tests.ledger_exports import Files

Tamper = tuple[str, Files]


class InMemory:
    """An export that is not on the disk."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def names(self) -> list[str]:
        return list(self._files)

    def read(self, name: str, most: int) -> bytes:
        if name not in self._files:
            raise verify.Wrong(f"The file {name} is missing.")
        return self._files[name][: most + 1]


def question(remembered: bytes = b"") -> verify.Question:
    """With the keys of log and witnesses, as an auditor would who has them."""
    asked = verify.ask(exports.LOG_VKEY, exports.WITNESS_VKEYS)
    kept = (verify.Checkpoint(remembered, "kept"),) if remembered else ()
    return verify.Question(asked.log_key, asked.witnesses, asked.need, kept)


def found_by_a_run(files: Files, remembered: bytes = b"") -> bool:
    """Whether a whole run says that something is wrong."""
    return bool(verify.verify(InMemory(files), question(remembered)).problems)


class Units:
    """Turns every bit of an export and checks its unit; counts what was turned and what was missed, by kind of unit."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._asked = question()
        self.turned: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.not_turned = 0
        """Bits of tiles."""

    def run(self) -> None:
        for name, data in self._files.items():
            if name.startswith("tile/entries/"):
                self._bundle(name, data)
            elif name.startswith("tile/"):
                self.not_turned += 8 * len(data)
            elif name.startswith("checkpoint"):
                self._each("checkpoint", data, lambda changed, name=name: self._refused(changed, name))  # type: ignore[misc]
            else:
                self._each("policy", data, lambda changed, name=name: self._strange(changed, name))  # type: ignore[misc]

    def _each(self, kind: str, data: bytes, found: Callable[[bytearray], bool]) -> None:
        changed = bytearray(data)
        for at in range(len(changed)):
            for bit in (1, 2, 4, 8, 16, 32, 64, 128):
                changed[at] ^= bit
                if not found(changed):
                    self.missed[kind] += 1
                changed[at] ^= bit
        self.turned[kind] += 8 * len(data)

    def _bundle(self, name: str, data: bytes) -> None:
        """The entries of a tile by their hashes, and the lengths between them by what comes out."""
        number = int(name.removeprefix("tile/entries/").partition(".")[0])
        tile = self._files[name.replace("entries", "0")]
        hashes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
        _, entries = verify._bundle(InMemory(self._files), number, len(hashes))
        hash_of = verify.leaf_hash
        for entry, expected in zip(entries, hashes, strict=True):
            self._each("entry", entry, lambda changed, expected=expected: hash_of(changed) != expected)  # type: ignore[misc]
        changed, at = bytearray(data), 0
        for entry in entries:
            for bit in range(16):
                changed[at + bit // 8] ^= 1 << bit % 8
                if not self._comes_out_otherwise(changed, name, number, entries):
                    self.missed["length"] += 1
                changed[at + bit // 8] ^= 1 << bit % 8
            self.turned["length"] += 16
            at += 2 + len(entry)

    @staticmethod
    def _comes_out_otherwise(changed: bytearray, name: str, number: int, entries: list[bytes]) -> bool:
        try:
            _, found = verify._bundle(InMemory({name: bytes(changed)}), number, len(entries))
        except verify.Wrong:
            return True
        return [verify.leaf_hash(one) for one in found] != [verify.leaf_hash(one) for one in entries]

    def _refused(self, changed: bytearray, name: str) -> bool:
        try:
            checkpoint = verify.Checkpoint(bytes(changed), name)
            checkpoint.require_log(self._asked.log_key)  # type: ignore[arg-type]
            list(verify._cosignatures(self._asked.witnesses, [checkpoint]))
            return False
        except verify.Wrong:
            return True

    @staticmethod
    def _strange(changed: bytearray, name: str) -> bool:
        found = verify.Found(verify.Question(), verify.Record(0, 1))
        verify._policies(InMemory({name: bytes(changed)}), found)
        return bool(found.record.problems)


def bits(files: Files, count: int) -> Iterator[Tamper]:
    """One bit turned, in so many places of each file's, the first and the last among them."""
    rng = random.Random(harness.SEED)
    for name, data in files.items():
        places = {0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(count))}
        for at in sorted(places):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            yield f"bit of {name}", {**files, name: bytes(changed)}


def truncations(files: Files) -> Iterator[Tamper]:
    """Each file away, empty, shorter, longer; of the entries also whole ones, and the last with its hash."""
    for name, data in files.items():
        if name.startswith(("tile", "checkpoint")) and not name.startswith("checkpoints/"):
            yield f"without {name}", {other: kept for other, kept in files.items() if other != name}
        for length in {0, 1, len(data) // 2, len(data) - 32, len(data) - 1}:
            yield f"{name} cut to {length}", {**files, name: data[:length]}
        yield f"{name} with more", {**files, name: data + b"\0"}


def rewritten(entries: list[bytes], signed: bytes) -> Iterator[Tamper]:
    """Entries moved, repeated and left out, with every tile made anew below the checkpoint that was signed."""
    rng = random.Random(harness.SEED)
    for _ in range(20):
        one, other = sorted(rng.sample(range(1, len(entries)), 2))
        swapped = list(entries)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        yield "entries swapped", _under(swapped, signed)
        yield "an entry left out", _under(entries[:one] + entries[one + 1 :], signed)
        again = [*entries[:other], entries[one], *entries[other:]]
        yield "an entry repeated", _under(again, signed)
        yield "an entry repeated for another", _under(again[: other + 1] + again[other + 2 :], signed)
    yield "two tiles swapped", _under(entries[256:512] + entries[:256] + entries[512:], signed)
    yield "the last left out", _under(entries[:-1], signed)


def _under(entries: list[bytes], signed: bytes) -> Files:
    return {"checkpoint": signed, **exports.tiles(entries)}


def resigned(entries: list[bytes]) -> Iterator[Tamper]:
    """What whoever has the log's key can write, against somebody who kept a checkpoint; and what no log may sign."""
    rng = random.Random(harness.SEED)
    for size in (1, 256, len(entries) // 2, len(entries) - 1):
        yield "an older state put back", exports.export(entries[:size])
    for _ in range(5):
        at = rng.randrange(1, len(entries))
        yield "the past written anew", exports.export(entries[:at] + entries[at + 1 :] + entries[at : at + 1])
    opening = [entry for entry in entries if b'"type":"intent"' in entry]
    for entry in rng.sample(opening, 5):
        yield "an envelope sent once more", exports.export([*entries, entry])
