"""Canaries: words that nobody else writes, planted as what customers say, and looked for wherever bytes are kept.

Each holds MARK and a number of its own. They are found in any case as UTF-8, UTF-16, hexadecimal digits, and base64 at
any of its three alignments; what is compressed or encrypted is not looked into.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "zqvaxkij"
DIGITS = 5
# Read at a time; each part repeats the end of the one before, so that nothing hides between two.
PART_BYTES = 1 << 24
_OVERLAP_BYTES = 256


@dataclass(frozen=True)
class Hit:
    """A canary where it should not be: in which file, at which byte, written how."""

    path: str
    at: int
    form: str


def canary(number: int) -> str:
    """A word such as a name."""
    return f"{MARK.capitalize()}{number:0{DIGITS}d}"


def _in_any_case(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.IGNORECASE)


def _base64_middles() -> bytes:
    """What base64 makes of the mark's middle, whatever stands before it; in the cases that canaries are written in."""
    found = set()
    for word in (MARK, MARK.capitalize(), MARK.upper()):
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + word.encode())
            # Of the first and the last group, what depends on the neighbours is left out.
            found.add(encoded[4 if before else 0 : len(encoded) - 4])
    return b"|".join(map(re.escape, sorted(found)))


_FORMS: dict[str, re.Pattern[bytes]] = {
    "utf-8": _in_any_case(MARK.encode()),
    "utf-16-le": _in_any_case(re.escape(MARK.encode("utf-16-le"))),
    "utf-16-be": _in_any_case(re.escape(MARK.encode("utf-16-be"))),
    "hex": _in_any_case(b"".join(b"(?:%02x|%02x)" % (ord(c), ord(c.upper())) for c in MARK)),
    "base64": re.compile(_base64_middles()),
}


def found_in(content: bytes) -> Iterator[tuple[int, str]]:
    """Where in `content` a canary stands, and in which form."""
    for form, pattern in _FORMS.items():
        for match in pattern.finditer(content):
            yield match.start(), form


def found_in_file(path: Path, name: str = "") -> list[Hit]:
    """Canaries of one file; one that has gone meanwhile has none."""
    hits: dict[tuple[int, str], Hit] = {}
    try:
        with path.open("rb") as file:
            at = 0
            while content := file.read(PART_BYTES):
                for offset, form in found_in(content):
                    hits[at + offset, form] = Hit(name or str(path), at + offset, form)
                if len(content) < PART_BYTES:
                    break
                at = file.seek(-_OVERLAP_BYTES, os.SEEK_CUR)
    except FileNotFoundError:
        return []
    return list(hits.values())


def files_below(folders: Iterable[Path]) -> Iterator[Path]:
    """Every regular file."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path


def found_below(folders: Iterable[Path]) -> list[Hit]:
    """Canaries in the contents and in the names of files."""
    hits: list[Hit] = []
    for path in files_below(folders):
        hits += found_in_file(path)
        hits += [Hit(str(path), -1, f"name, {form}") for _, form in found_in(os.fsencode(path))]
    return hits
