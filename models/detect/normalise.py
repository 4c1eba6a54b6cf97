"""A text in the forms in which a value may stand in it: as given, and with every disguise taken off.

Each view says where its characters stand in the text as given (code points), so what is found in one can be replaced in
the other. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from models.detect.encoded import decoded
from models.detect.spelled import written
from models.detect.view import View, folded

__all__ = ["View", "undisguised", "views"]

_WORD = re.compile(r"[^\W\d_]+")
_PLAIN: Final = re.compile(r"[\t\n\r -~\u00a0À-ÖØ-öø-ķĹ-ž‘’‚“”„–—…«»°€]*")
"""Where all is of these, nothing but a code can hide a word: most texts, told without folding them."""
_ORDINARY: Final = str.maketrans(
    {"ª": "a", "º": "o", "™": "TM", "µ": "μ", "ı": "i", "×": "x", "ﬁ": "fi", "ﬂ": "fl"}
)
"""Signs of ordinary writing that a view writes as letters, or other letters."""


def views(text: str) -> list[View]:
    """The text as given, then those that differ from the one before them, each built on the one before.

    Folded (compatibility forms, look-alikes, invisible characters), decoded (percent, escapes, base64, once; and folded
    again, for what the code hid), written (digits and addresses that were spelled). Length and time are linear.
    """
    steps = [View(text)]
    for step in (folded, decoded, folded, written):
        view = step(steps[-1])
        if view.text != steps[-1].text:
            steps.append(view)
    return steps


def undisguised(text: str) -> View | None:
    """The text as a person reads it, where its words are then other words: what must be read beside it, or None.

    Letters in circles, of other scripts, invisible, encoded, or with signs in between that nobody sees. Not: accents in
    either form, quotes, dashes, spaces, emoji, and spelled digits, which leave the words as they were.
    """
    given = View(text)
    coded = decoded(given if _PLAIN.fullmatch(text) else folded(given))
    view = coded if coded is given else folded(coded)
    return None if view is given or _words(view.text) == _words(text) else view


def _words(text: str) -> list[str]:
    """Letters without the accents that belong to them: a mark that does not cuts a word."""
    composed = unicodedata.normalize("NFC", text).translate(_ORDINARY)
    return list(filter(None, map(_bare, _WORD.findall(composed))))


def _bare(word: str) -> str:
    if word.isascii():
        return word
    return "".join(filter(str.isalpha, unicodedata.normalize("NFD", word)))
