"""Percent-encoding, escapes and base64 inside a text, decoded once. Pure.

Once: what is encoded twice is a program's, not a customer's, and decoding until nothing changes lets a text choose how
long it is worked on.
"""

from __future__ import annotations

import binascii
import re
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate

from core.pattern_set import PatternSet
from models.detect.view import Edit, View, edited

# Eleven characters hold eight bytes, the shortest value with a form that stands alone.
BASE64_CHARS_MIN = 11
_ENCODED = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<escapes>(?:\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[nrt])+)"
    r"|(?P<references>(?:&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|commat|period|nbsp|colon|sol|num);)+)"
    rf"|(?P<base64>(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{BASE64_CHARS_MIN},}}+={{0,2}})"
)
_HINT = PatternSet([rf"%[0-9A-Fa-f]{{2}}|\\[uxnrt]|&[a-z#]|[A-Za-z0-9+/_-]{{{BASE64_CHARS_MIN}}}"])
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt])")
_REFERENCE = re.compile(r"&([^;]+);")
_BREAKS = {"n": "\n", "r": "\r", "t": "\t"}
_NAMED = {"commat": "@", "period": ".", "nbsp": " ", "colon": ":", "sol": "/", "num": "#"}
_LETTER = re.compile("[A-Za-z]")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decoded(view: View) -> View:
    """`view` with encoded pieces as they read decoded; `view` itself if there are none."""
    return edited(view, _edits(view.text))


def _edits(text: str) -> Iterator[Edit]:
    if not _HINT.found(text):
        return
    for match in _ENCODED.finditer(text):
        kind = match.lastgroup
        if kind == "base64":
            edit = _base64(match.group(), match.start())
        elif kind == "percent":
            edit = _percent(match.group(), match.start())
        else:
            edit = _signs(match.group(), match.start(), *_READERS[kind or ""])
        if edit:
            yield edit


def _percent(run: str, start: int) -> Edit | None:
    """Each character comes from as many `%XX` as its UTF-8 has bytes. None for bytes that are no text."""
    try:
        text = bytes.fromhex(run.replace("%", " ")).decode()
    except UnicodeDecodeError:
        return None
    end = start + len(run)
    if text.isascii():
        return Edit(start, end, text, range(start, end, 3), range(start + 3, end + 1, 3))
    bounds = list(accumulate((3 * len(sign.encode()) for sign in text), initial=start))
    return Edit(start, end, text, bounds[:-1], bounds[1:])


def _signs(run: str, start: int, pattern: re.Pattern[str], sign: Callable[[str], str]) -> Edit:
    """Character references of HTML, or escapes of JSON and of programs, one after the other."""
    matches = list(pattern.finditer(run))
    ends = [start + match.end() for match in matches]
    text = "".join([sign(match[1]) for match in matches])
    return Edit(start, start + len(run), text, [start, *ends[:-1]], ends)


def _of_escape(code: str) -> str:
    return _BREAKS[code] if code in _BREAKS else chr(int(code[1:], 16))


def _of_reference(name: str) -> str:
    """One character for every reference: what stands for none, or for several, is replaced as a browser would."""
    if name[0] != "#":
        return _NAMED[name]
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(code) if 0 < code <= sys.maxunicode else "\ufffd"


def _base64(run: str, start: int) -> Edit | None:
    """Eight bits of text lie in six bits of base64 each. None for a run that hides no printable text."""
    # One of letters in a single case is a word: four in ten signs of base64 are of either.
    if run.islower() or run.isupper() or _LETTER.search(run) is None:
        return None
    body = run.rstrip("=")
    if len(body) % 4 == 1:
        body = body[:-1]
    try:
        data = binascii.a2b_base64(body.encode().translate(_URL_SAFE) + b"=" * (-len(body) % 4))
        text = data.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not text.isascii() or not text.translate(_SPACES).isprintable():
        return None
    starts = [start + place * 4 // 3 for place in range(len(text))]
    ends = [start + ((place + 1) * 4 + 2) // 3 for place in range(len(text))]
    return Edit(start, start + len(run), text, starts, ends)


# Kind of code → its pieces, and the character that one stands for.
_READERS: dict[str, tuple[re.Pattern[str], Callable[[str], str]]] = {
    "escapes": (_ESCAPE, _of_escape),
    "references": (_REFERENCE, _of_reference),
}
_SPACES = str.maketrans("\t\n\r", "   ")
