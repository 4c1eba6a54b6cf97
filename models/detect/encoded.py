"""Percent-encoding, escapes and base64 inside a text, decoded once. Pure.

Once: what is encoded twice is a program's, not a customer's, and decoding until nothing changes lets a text choose how
long it is worked on.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from itertools import accumulate

from models.detect.view import Edit, View, edited

# Eleven characters hold eight bytes, the shortest value with a form that stands alone.
BASE64_CHARS_MIN = 11
_ENCODED = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<escapes>(?:\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2})+)"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|commat|period|nbsp|colon|sol|num);)"
    rf"|(?P<base64>(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{BASE64_CHARS_MIN},}}+={{0,2}})"
)
_ESCAPE = re.compile(r"\\[ux]([0-9A-Fa-f]{2,4})")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decoded(view: View) -> View:
    """`view` with encoded pieces as they read decoded; `view` itself if there are none."""
    return edited(view, _edits(view.text))


def _edits(text: str) -> Iterator[Edit]:
    for match in _ENCODED.finditer(text):
        kind = match.lastgroup
        if kind == "base64":
            edit = _base64(match.group(), match.start())
        elif kind == "percent":
            edit = _percent(match.group(), match.start())
        else:
            edit = _escapes(match.group(), match.start(), match.end())
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


def _escapes(run: str, start: int, end: int) -> Edit | None:
    """A character reference of HTML, or escapes of JSON and of programs."""
    if run[0] == "&":
        text = html.unescape(run)
        return Edit(start, end, text, [start] * len(text), [end] * len(text)) if text != run else None
    signs = [(chr(int(match.group(1), 16)), match) for match in _ESCAPE.finditer(run)]
    return Edit(
        start,
        end,
        "".join(sign for sign, _ in signs),
        [start + match.start() for _, match in signs],
        [start + match.end() for _, match in signs],
    )


def _base64(run: str, start: int) -> Edit | None:
    """Eight bits of text lie in six bits of base64 each. None for a run that hides no printable text."""
    body = run.rstrip("=")
    if len(body) % 4 == 1:
        body = body[:-1]
    try:
        data = base64.b64decode(body.encode().translate(_URL_SAFE) + b"=" * (-len(body) % 4), validate=True)
        text = data.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not text.isascii() or not text.translate(_SPACES).isprintable():
        return None
    starts = [start + place * 4 // 3 for place in range(len(text))]
    ends = [start + ((place + 1) * 4 + 2) // 3 for place in range(len(text))]
    return Edit(start, start + len(run), text, starts, ends)


_SPACES = str.maketrans("\t\n\r", "   ")
