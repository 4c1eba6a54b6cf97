"""A conversation as the node has it in memory: when it was last heard, what the next turn needs, a turn at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import PosternError
from edge.chat.admission import Admission
from edge.chat.rates import Rate

if TYPE_CHECKING:
    from edge.chat.session import Session


class SessionBusy(PosternError):
    """A second question while the first is being answered."""

    code = "session_busy"
    title = "One question at a time"
    remedy = "Wait for the answer, then ask the next question."
    status = 429
    # An answer of quotes takes a fraction of a second; one in words is asked for again.
    retry_after_s = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next turn may need of the last ones. In memory only: a restart forgets it, and so does the wipe.

    topic      the last question that stood on its own
    offered  the questions that the last answer gave to choose from
    """

    topic: str = ""
    offered: tuple[str, ...] = ()


@dataclass
class Live:
    """A conversation in memory; times in seconds of the boot clock."""

    session: Session
    address: str | None
    ends_s: float
    seen_s: float
    asked_whole_at_s: float = 0.0
    acted_whole_at_s: float = 0.0
    busy: bool = False
    stored: bool = True
    """Whether the store has ever heard of it."""
    memory: Memory = Memory()


class OneTurn:
    """One turn at a time: taken on entry, given back on exit. Both are signs of life."""

    def __init__(self, live: Live, admission: Admission, rate: Rate, clock: Callable[[], float]) -> None:
        self._live = live
        self._admission = admission
        self._rate = rate
        self._clock = clock

    def __enter__(self) -> None:
        if self._live.busy:
            raise SessionBusy
        now_s = self._clock()
        self._live.asked_whole_at_s = self._admission.ask(self._rate, self._live.asked_whole_at_s, now_s)
        self._live.busy = True

    def __exit__(self, *_: object) -> None:
        self._live.busy = False
        self._live.seen_s = self._clock()
