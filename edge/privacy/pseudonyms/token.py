"""One token: what it looks like, how its code is drawn, how far a bent code is from it. Pure but for randomness.

`[PERSON_k7q2m4fx]`: the type, so that a model can write a sentence with it, and a random code. The code says nothing
about the value, and whoever does not have the conversation's map cannot guess one (docs/adr/0029).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from models.detect.marks import ALPHABET, CODE_CHARS, DIGITS

# One wrong character must leave a digit: it is what tells a code from a word.
DIGITS_MIN = 2


@dataclass(frozen=True, slots=True)
class Token:
    """What stands for one value. The value is in no `repr`."""

    type: str
    code: str
    value: str = field(repr=False)

    @property
    def text(self) -> str:
        """As a text has it."""
        return f"[{self.type}_{self.code}]"


def draw_code() -> str:
    """A random code of CODE_CHARS with letters and digits, from the system's randomness."""
    while True:
        number, code = secrets.randbelow(len(ALPHABET) ** CODE_CHARS), ""
        for _ in range(CODE_CHARS):
            number, place = divmod(number, len(ALPHABET))
            code += ALPHABET[place]
        if DIGITS_MIN <= sum(character in DIGITS for character in code) < CODE_CHARS:
            return code


def shortened(code: str) -> set[str]:
    """The code, and the code without any one of its characters. Two codes an edit apart have one of these in common."""
    return {code, *(code[:place] + code[place + 1 :] for place in range(len(code)))}


def one_edit_apart(bent: str, code: str) -> bool:
    """Whether one character was replaced, left out, put in, or swapped with the next (Damerau 1964)."""
    short, long = sorted((bent, code), key=len)
    place = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) - len(short) == 1:
        return short[place:] == long[place + 1 :]
    if len(long) != len(short) or place == len(short):
        return False
    swapped = short[place : place + 2] == long[place : place + 2][::-1]
    return short[place + 1 :] == long[place + 1 :] or (swapped and short[place + 2 :] == long[place + 2 :])
