"""What stands in a text in the place of a personal value: `[PERSON_k7q2m4fx]`, a type and a random code. Pure.

Nodes write such marks, and the control plane must not take them for what they stand for.
"""

from __future__ import annotations

import re
from typing import Final

from models.detect.entity_types import ENTITY_TYPES

# No vowel, so that a code is no word in any language written in Latin letters; no l, 0 or 1, which are read as others.
LETTERS: Final = "bcdfghjkmnpqrstvwxyz"
DIGITS: Final = "23456789"
ALPHABET: Final = LETTERS + DIGITS
# 28^8 is 3.8e11: with a conversation's 1,000 tokens, a guess hits one in 4e8 times, and a bent one (about 450 ways)
# another's in 8e5. Language models copy eight characters as well as six (docs/adr/0029).
CODE_CHARS: Final = 8
# Stands for a piece of a text that itself looks like a mark.
IMITATION: Final = "TEXT"
# The types of the contract, and ours.
TYPES: Final = ENTITY_TYPES | {IMITATION}
# `[`, type, `_`, code, `]`.
MARK_CHARS_MAX: Final = max(map(len, TYPES)) + CODE_CHARS + 3

_MARK: Final = re.compile(rf"\[(?:{'|'.join(sorted(TYPES))})_[{ALPHABET}]{{{CODE_CHARS}}}\]")


def without_marks(text: str) -> str:
    """What is left of a masked text beside the marks. In such a text nobody else has written one: it is masked, too."""
    return _MARK.sub(" ", text)
