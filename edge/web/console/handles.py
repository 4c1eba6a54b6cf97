"""Opaque names for people in the addresses of pages: an address ends up in histories and logs, a person must not.

In memory and of one operator: whoever copies an address has nothing, and a restart forgets all of them.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import PosternError

HANDLES_MAX = 500
"""The oldest is forgotten first: a day's work of an office, and a tenth of a megabyte."""

LIFE_S = 3_600.0
"""Longer than a page is left open before its operator is logged off."""

HANDLE_BYTES = 12


class PageGone(PosternError):
    """The address of a person's page is not known, or was long ago, or is somebody else's."""

    code = "page_gone"
    title = "This page is no longer open"
    remedy = "Search for the person again: Data protection, People."
    status = 410


@dataclass(frozen=True, slots=True)
class _Held:
    operator: str
    subject: str
    until_s: float


class Handles:
    """Subjects by handle. `clock`: seconds, never going back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def give(self, operator: str, subject: str) -> str:
        """A handle under which `operator`, and nobody else, finds `subject` for LIFE_S."""
        while len(self._held) >= HANDLES_MAX:
            self._held.popitem(last=False)
        handle = secrets.token_urlsafe(HANDLE_BYTES)
        self._held[handle] = _Held(operator, subject, self._clock() + LIFE_S)
        return handle

    def subject(self, operator: str, handle: str) -> str:
        """Whom it stands for. Raises PageGone."""
        held = self._held.get(handle)
        if held is None or held.operator != operator:
            raise PageGone
        if held.until_s <= self._clock():
            del self._held[handle]
            raise PageGone
        return held.subject
