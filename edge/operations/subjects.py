"""Who is meant and who acts, as operations about people take it."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from edge.chat.inbox import OPERATOR_CHARS_MAX
from edge.store.subjects import TICKET

SUBJECT_CHARS_MAX: Final = 100
"""Of what is typed. A program's name for a person has 64 at most; those of conversations and tickets are shorter."""

_SUBJECT = re.compile(r"(session:|ticket:)?[A-Za-z0-9._-]{1,64}")


def _subject(given: str) -> str:
    """As it was typed; a ticket's number in capitals, as it is written on the customer's screen."""
    name = given.strip()
    if name.lower().startswith(TICKET):
        name = TICKET + name[len(TICKET) :].upper()
    if not _SUBJECT.fullmatch(name):
        # A person's own name, which nothing is stored under: "nothing is stored" would be a false all-clear.
        raise ValueError(
            "nobody is stored under such a name, which has no spaces; use the ticket's number on the screen, the"
            " conversation's identifier, or the identifier that the program passed on"
        )
    return name


Subject = Annotated[str, Field(max_length=SUBJECT_CHARS_MAX), AfterValidator(_subject)]
Actor = Annotated[str, Field(min_length=1, max_length=OPERATOR_CHARS_MAX)]
