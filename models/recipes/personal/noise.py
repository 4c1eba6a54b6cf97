"""What people and machines do to a sentence: case, typos, spaces, signs.

A sentence is noised in its pieces, the text of the frame and the values apart: a span is its piece whatever happens.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

# Neighbours on a keyboard, for letters that people hit by mistake.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {
    letter: row[max(0, at - 1) : at]
    + row[at + 1 : at + 2]
    + "".join(other[at : at + 1] for other in _ROWS if other is not row)
    for row in _ROWS
    for at, letter in enumerate(row)
}
_SMART = str.maketrans({"'": "’"})
_MARKS = str.maketrans("", "", ".,;:!?")


@dataclass(slots=True)
class Piece:
    """Part of a sentence; `type` is its label, None where it is not personal."""

    text: str
    type: str | None


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each noise strikes a sentence of a shape."""

    lower: float = 0.0
    upper: float = 0.0
    typos: float = 0.0
    bare: float = 0.0  # no punctuation in the frame
    spaces: float = 0.0
    smart: float = 0.0
    end: float = 0.0  # the last sign changed
    squeezed: float = 0.0  # lower case, no sign at all, letters and digits apart: a@b.com 4B as abcom 4 b
    unaccented: float = 0.06  # values in plain letters: Müller as Muller


RATES = {
    "chat": Rates(
        lower=0.22, upper=0.04, typos=0.12, bare=0.1, squeezed=0.12, spaces=0.05, smart=0.08, end=0.15
    ),
    "spoken": Rates(lower=1.0, unaccented=0.4),
    "form": Rates(lower=0.06, upper=0.08, typos=0.03, spaces=0.08),
    "letter": Rates(lower=0.02, upper=0.02, typos=0.03, spaces=0.03, smart=0.2),
    "transcript": Rates(lower=0.2, upper=0.03, typos=0.05, bare=0.1, squeezed=0.06, spaces=0.03),
    "log": Rates(),
    "json": Rates(),
    "csv": Rates(upper=0.03),
    "prose": Rates(
        lower=0.1, upper=0.03, typos=0.03, squeezed=0.01, bare=0.03, spaces=0.02, smart=0.15, end=0.05
    ),
    "plain": Rates(lower=0.2, upper=0.03, typos=0.1, bare=0.1, squeezed=0.1, spaces=0.03, smart=0.1, end=0.1),
}


def apply(rng: Random, pieces: list[Piece], shape: str) -> None:
    """Noise of the shape, in place."""
    rates = RATES[shape]
    if shape in ("json", "csv", "log", "spoken"):
        _escape(pieces, shape)
    case = rng.random()
    if case < rates.lower:
        _map(pieces, str.lower)
    elif case < rates.lower + rates.upper:
        _map(pieces, str.upper)
    elif case < rates.lower + rates.upper + 0.04 and shape in ("chat", "form", "transcript"):
        _lower_values(pieces)
    if rng.random() < rates.typos:
        for _ in range(rng.randint(1, 3)):
            _typo(rng, rng.choice(pieces))
    if rng.random() < rates.squeezed:
        _map(pieces, _squeeze)
    if rng.random() < rates.unaccented:
        _unaccent(pieces)
    if rng.random() < rates.bare:
        _bare(pieces)
    if rng.random() < rates.spaces:
        _spaces(rng, pieces)
    if rng.random() < rates.smart:
        _map(pieces, lambda text: text.translate(_SMART))
    if rng.random() < rates.end:
        _end(rng, pieces)


def _map(pieces: list[Piece], change: Callable[[str], str]) -> None:
    for piece in pieces:
        piece.text = change(piece.text)


def _squeeze(text: str) -> str:
    """As chat logs are prepared for training elsewhere: without any sign."""
    return _CHANGES.sub(" ", _SIGNS.sub("", text.lower()))


_SIGNS = re.compile(r"[^\w\s]|_")
_CHANGES = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")


def _escape(pieces: list[Piece], shape: str) -> None:
    """Values as the shape can hold them: JSON escaped, CSV quoted, logs and speech on one line."""
    for place, piece in enumerate(pieces):
        if piece.type is None:
            continue
        if shape == "json":
            piece.text = json.dumps(piece.text, ensure_ascii=False)[1:-1]
            continue
        piece.text = " ".join(piece.text.split())
        if (
            shape == "csv"
            and ("," in piece.text or ";" in piece.text)
            and place
            and not pieces[place - 1].text.endswith('"')
        ):
            pieces[place - 1].text += '"'
            if place + 1 < len(pieces):
                pieces[place + 1].text = '"' + pieces[place + 1].text


def _lower_values(pieces: list[Piece]) -> None:
    for piece in pieces:
        if piece.type is not None:
            piece.text = piece.text.lower()


def _unaccent(pieces: list[Piece]) -> None:
    for piece in pieces:
        if piece.type is not None and not piece.text.isascii():
            bare = "".join(
                c for c in unicodedata.normalize("NFD", piece.text) if not unicodedata.combining(c)
            )
            piece.text = bare.translate(_PLAIN) if bare.strip() else piece.text


_PLAIN = str.maketrans("øØłŁđĐıß", "oOlLdDis")


def _typo(rng: Random, piece: Piece) -> None:
    """A letter left out, doubled, swapped with its neighbour or hit beside."""
    text = piece.text
    if len(text) < 4:
        return
    at = rng.randint(1, len(text) - 2)
    if not text[at].isalpha() or not text[at + 1].isalpha():
        return
    kind = rng.random()
    if kind < 0.3:
        changed = text[:at] + text[at + 1 :]
    elif kind < 0.5:
        changed = text[:at] + text[at] + text[at:]
    elif kind < 0.75:
        changed = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    else:
        changed = text[:at] + rng.choice(_NEAR.get(text[at], text[at])) + text[at + 1 :]
    piece.text = changed


def _bare(pieces: list[Piece]) -> None:
    for piece in pieces:
        if piece.type is None:
            piece.text = piece.text.translate(_MARKS)


def _spaces(rng: Random, pieces: list[Piece]) -> None:
    """A space too many or too few between a value and its frame, or one inside the frame."""
    frame = [piece for piece in pieces if piece.type is None and " " in piece.text]
    if not frame:
        return
    piece = rng.choice(frame)
    if rng.random() < 0.6:
        piece.text = piece.text.replace(" ", "  ", 1)
    elif ": " in piece.text:
        piece.text = piece.text.replace(": ", ":")
    elif ", " in piece.text:
        piece.text = piece.text.replace(", ", ",", 1)


def _end(rng: Random, pieces: list[Piece]) -> None:
    last = pieces[-1]
    if last.type is None and last.text and last.text[-1] in ".!?":
        last.text = last.text[:-1] + rng.choice(("", "", "", "..", "!", "!!", " .", " :)", " thx", "?"))
