"""Looks for canaries in bytes, however they are written: a word as a whole, a number also by a part of it.

Looked at are the letters and digits of a text, in small letters: what was spaced otherwise, or written in UTF-16, is
the same then. Beside the bytes themselves, what percent-encoding, base64, hexadecimal digits and zlib or gzip in them
stand for is looked at, to a depth of DEPTH. Of a number a run of signs is enough, so that one is found which is split
over two messages; of one whose parts are all shorter than the run nothing is found.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import numpy as np

KEY_BYTES = 8
# A run of this many signs of a number is one, or the whole of a shorter one: the least that is looked up, half a card.
# Where there are many hexadecimal numbers, as in the ledger, it is two more: beside 100,000 runs of planted digits,
# one in a thousand random runs of eight is one by chance, of ten one in a hundred thousand.
RUN_SIGNS = KEY_BYTES
RUN_SIGNS_AMONG_HEX = 10
# base64 of what was compressed, percent-encoded base64.
DEPTH = 2
INFLATED_BYTES_MAX = 1 << 22
_KEPT = (string.ascii_letters + string.digits).encode()
_SMALL = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_DROPPED = bytes(set(range(256)) - set(_KEPT))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")
# gzip; zlib with a window of 32 KiB, at each level that it names.
_DEFLATED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
# No canary holds it.
_END = b"\n"


def signs(content: bytes) -> bytes:
    """Letters and digits of ASCII, small."""
    return content.translate(_SMALL, _DROPPED)


def views(content: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """`content`, and what is written in it otherwise."""
    yield content
    if depth:
        for inner in _inner(content):
            yield from views(inner, depth - 1)


def _inner(content: bytes) -> Iterator[bytes]:
    if _PERCENT.search(content):
        yield unquote_to_bytes(content)
    for match in _BASE64.finditer(content):
        yield from _decoded(match[0].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/"))
    for match in _HEX.finditer(content):
        for first in (0, 1):
            run = match[0][first:]
            yield binascii.unhexlify(run[: len(run) & ~1])
    for match in _DEFLATED.finditer(content):
        yield _inflated(content[match.start() :], zlib.MAX_WBITS | 32)


def _decoded(run: bytes) -> Iterator[bytes]:
    """A run may begin with signs of what stood before it."""
    for first in range(4):
        rest = run[first:]
        yield base64.b64decode(rest + b"A" * (-len(rest) % 4))


def _inflated(content: bytes, window: int) -> bytes:
    """As much of it as can be read; nothing where it is not what it looks like."""
    reader = zlib.decompressobj(window)
    try:
        return reader.decompress(content, INFLATED_BYTES_MAX)
    except zlib.error:
        return b""


@dataclass
class Search:
    """Values to look for, each by its number. `run_signs`: how long a part of a number counts as it."""

    run_signs: int = RUN_SIGNS
    _values: list[bytes] = field(default_factory=list)
    _places: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By eight signs as a number: whose, and where in it."""
    _keys: np.ndarray[tuple[int], np.dtype[np.uint64]] | None = None

    def add(self, value: str) -> int:
        """Its number. Raises ValueError for one that is too short to be told from other words."""
        written = signs(value.encode())
        if len(written) < KEY_BYTES:
            raise ValueError(f"A canary has {KEY_BYTES} letters and digits at least.")
        number = len(self._values)
        self._values.append(written)
        for at in range(len(written) - KEY_BYTES + 1):
            self._places[_key(written, at)].append((number, at))
        self._keys = None
        return number

    def found(self, blobs: Iterable[bytes]) -> set[int]:
        """Numbers of the values that stand in any of them."""
        text = _END.join(signs(view) for blob in blobs for view in views(blob))
        return {number for at in self._candidates(text) for number in self._at(text, at)}

    def _candidates(self, text: bytes) -> Iterator[int]:
        if self._keys is None:
            self._keys = np.array(sorted(self._places), dtype=np.uint64)
        if not self._keys.size:
            return
        for shift in range(KEY_BYTES):
            count = (len(text) - shift) // KEY_BYTES
            if count <= 0:
                return
            seen = np.frombuffer(text, "<u8", count, shift)
            nearest = np.minimum(np.searchsorted(self._keys, seen), self._keys.size - 1)
            for place in np.flatnonzero(self._keys[nearest] == seen):
                yield shift + KEY_BYTES * int(place)

    def _at(self, text: bytes, at: int) -> Iterator[int]:
        """Whose run that is which holds the eight signs at that place, and is long enough."""
        for number, place in self._places[_key(text, at)]:
            value = self._values[number]
            before = _alike(reversed(value[:place]), reversed(text[max(0, at - place) : at]))
            after = _alike(value[place:], text[at : at + len(value) - place])
            # Words are made of parts that other words have, too.
            needed = len(value) if value.isalpha() else min(self.run_signs, len(value))
            if before + after >= needed:
                yield number


def _alike(one: Iterable[int], other: Iterable[int]) -> int:
    """How many signs from the first on are the same."""
    same = 0
    for ours, theirs in zip(one, other, strict=False):
        if ours != theirs:
            break
        same += 1
    return same


def _key(text: bytes, at: int) -> int:
    return int.from_bytes(text[at : at + KEY_BYTES], "little")
