"""What the desk says to who writes in a language that it does not cover: so, in that language, and that a person helps.

Silent when in doubt: a question that is short, mixed or misspelt is answered as any other. Pure but for the detector's
tables, which `warm` reads before the first question.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edge.knowledge import languages

# While nothing else is known.
DEFAULT = (languages.ENGLISH,)
# A text that makes the detector read its tables.
_ANY = "questa frase non dice niente"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said, and how it is shown: `language` (BCP 47) and `direction` of the writing."""

    language: str
    direction: str
    text: str

    def shown(self) -> dict[str, str]:
        """How the page marks the text."""
        return {"code": self.language, "dir": self.direction}


def covered(encoder: Iterable[str], documents: Iterable[str]) -> tuple[str, ...]:
    """The languages that both the encoder and the documents speak.

    Where they share none, those of the documents: words still find what meaning does not. Without documents, the
    encoder's.
    """
    spoken = [code for code in encoder if code in languages.tongues()]
    written = sorted(documents)
    return tuple([code for code in spoken if code in written] or written or spoken) or DEFAULT


def names(codes: Iterable[str]) -> list[str]:
    """Each language as its speakers call it."""
    return [languages.tongues()[code].name for code in codes]


def check(text: str, codes: Sequence[str]) -> Sentence | None:
    """The sentence for `text` in a language that is not among `codes`; None for all else."""
    code = languages.detect(text)
    if code is None or code in codes:
        return None
    direction = "rtl" if languages.tongues()[code].rtl else "ltr"
    return Sentence(code, direction, sentences()[code].format(languages=", ".join(names(codes))))


@cache
def sentences() -> dict[str, str]:
    """The sentence of each language."""
    return dict(tomllib.loads(files("edge.chat").joinpath("languages.toml").read_text("utf-8")))


def warm() -> None:
    """Read the detector's tables: a third of a second that no customer should wait."""
    languages.detect(_ANY)
