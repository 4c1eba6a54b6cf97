"""Links by which a receipt is read elsewhere, on a phone: unguessable, short-lived, good for nothing else.

Kept in memory alone, one a conversation: it ends when the conversation does, when it is given anew, and after LINK_S.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.errors import PosternError
from edge.chat.session import Sessions, boot_s

LINK_S: Final = 600.0
"""Time to find the phone and to read; a code that somebody else photographed is of no use for longer."""
SECRET_BYTES: Final = 16
"""Nobody guesses 128 bits; more would make the code harder to scan."""
READS_MAX: Final = 60
"""Of one link: a page that is opened again and again; each reading has the courier sign once."""


class ReceiptLinkOver(PosternError):
    """A link that is unknown, used up or past its time, or whose conversation has ended; not told apart."""

    code = "receipt_link_over"
    title = "This link to a receipt works no longer"
    remedy = (
        f"It ends with the conversation, after ten minutes, after {READS_MAX} openings, or when a newer one was made. "
        "Open it anew at the screen where you asked."
    )
    status = 404


@dataclass
class _Link:
    session: str
    until_s: float
    reads: int = 0


class ReceiptLinks:
    """Used from one event loop. `clock`: seconds, never going back."""

    def __init__(self, sessions: Sessions, clock: Callable[[], float] = boot_s) -> None:
        self._sessions = sessions
        self._clock = clock
        # By the secret's hash, as tokens of conversations are: memory that leaks is no link.
        self._links: dict[bytes, _Link] = {}
        self._by_session: dict[str, bytes] = {}
        sessions.on_end.append(self._forget)

    def give(self, session: str) -> str:
        """A new secret for a conversation that is open; an older one of it is over."""
        self._forget(session)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        named = _hash(secret)
        self._links[named] = _Link(session, self._clock() + LINK_S)
        self._by_session[session] = named
        return secret

    def read(self, secret: str) -> tuple[str, float]:
        """Whose receipt it is, and for how many seconds it still works. Raises ReceiptLinkOver."""
        link = self._links.get(_hash(secret))
        if link is None:
            raise ReceiptLinkOver
        left_s = link.until_s - self._clock()
        link.reads += 1
        if left_s <= 0 or link.reads > READS_MAX or not self._sessions.is_open(link.session):
            self._forget(link.session)
            raise ReceiptLinkOver
        return link.session, left_s

    def _forget(self, session: str) -> None:
        if (named := self._by_session.pop(session, None)) is not None:
            self._links.pop(named, None)


def _hash(secret: str) -> bytes:
    # A header's bytes that are no UTF-8 come as surrogates.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
