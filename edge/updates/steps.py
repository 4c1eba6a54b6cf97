"""The steps of an update, and what follows what: FETCH → VERIFY → STAGE → GATE → ACTIVATE → WATCH → KEEP | ROLL_BACK.

Pure. Each step is carried out by `edge.updates.updater`, which makes durable where it stands before it goes on; a step
that a crash cut off is carried out again, so every one of them may begin twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """What is being done; the names are those of the record `update.step`."""

    FETCH = "fetch"
    VERIFY = "verify"
    STAGE = "stage"
    GATE = "gate"
    ACTIVATE = "activate"
    WATCH = "watch"
    KEEP = "keep"
    ROLL_BACK = "roll_back"


class End(StrEnum):
    """How it ended."""

    KEPT = "kept"
    REFUSED = "refused"
    """What ran before was never touched."""
    RETURNED = "returned"
    """It ran, and what ran before does again."""
    REMOVED = "removed"
    """It was kept, and the site has taken it off since."""


WITHDRAWN: Final = "withdrawn"
INTERRUPTED: Final = "interrupted"
REMOVED: Final = "removed"
TRUST_REFUSED: Final = "trust_refused"

INTERRUPTIONS_MAX: Final = 5
"""A step that ends the node each time must end; a site that is switched off at night five times in one gate, too."""

TRIES_MAX: Final = 20
"""Of a step that fails for something that may pass (a full disk), about three hours with the waits between."""

RETRY_MS_MIN: Final = 5_000
RETRY_MS_MAX: Final = 900_000
"""Between tries, doubling: a link comes back in seconds or in a quarter of a day, and each try costs little."""

_NEXT: Final = {
    Step.FETCH: Step.VERIFY,
    Step.VERIFY: Step.STAGE,
    Step.STAGE: Step.GATE,
    Step.GATE: Step.ACTIVATE,
    Step.ACTIVATE: Step.WATCH,
    Step.WATCH: Step.KEEP,
}
_UNTOUCHED: Final = frozenset({Step.FETCH, Step.VERIFY, Step.STAGE, Step.GATE})
"""Before anything of the site changes."""
_UNDONE: Final = frozenset({Step.ACTIVATE, Step.WATCH})
"""What is undone by going back."""
_PATIENT: Final = frozenset({Step.FETCH, Step.KEEP, Step.ROLL_BACK})
"""Tried until they succeed: a line may be away for months, and a way back has no other way."""


@dataclass(frozen=True)
class Standing:
    """Where an update stands. `due_ms`: not carried on before."""

    step: Step = Step.FETCH
    tries: int = 0
    due_ms: int = 0
    reason: str = ""
    """Why it goes back or ended, as a short code; of a step that is tried again, why it failed last."""
    end: End | None = None


@dataclass(frozen=True)
class Done:
    """The step is carried out."""


@dataclass(frozen=True)
class Failed:
    """It is not. `passing`: it may be later."""

    reason: str
    passing: bool = False


@dataclass(frozen=True)
class Later:
    """Its time has not come. Nothing failed, and nothing is counted."""

    reason: str
    wait_ms: int


@dataclass(frozen=True)
class Damaged:
    """What was fetched is not what was meant: it is fetched again."""


@dataclass(frozen=True)
class Withdrawn:
    """Nobody wants it any more."""


@dataclass(frozen=True)
class Interrupted:
    """The node ended in the midst of it, and is up again."""


Outcome = Done | Failed | Later | Damaged | Withdrawn | Interrupted


def after(now: Standing, outcome: Outcome, at_ms: int, *, touched: bool = True) -> Standing:
    """Where it stands after that. An update that has ended stays as it is.

    `touched`: whether ACTIVATE has begun to change the site. Until then it is as before that step, and waits.
    """
    if now.end is not None:
        return now
    if now.step is Step.ACTIVATE and not touched:
        return _before_changes(now, outcome, at_ms)
    match outcome:
        case Done():
            return _done(now)
        case Failed(reason, passing):
            return _failed(now, reason, at_ms, passing=passing)
        case Later(reason, waited_ms):
            return replace(now, due_ms=at_ms + waited_ms, reason=reason)
        case Damaged():
            if now.tries >= TRIES_MAX:
                return _given_up(now, "damaged")
            return Standing(Step.FETCH, now.tries + 1, at_ms + wait_ms(now.tries), "damaged")
        case Withdrawn():
            return _given_up(now, WITHDRAWN)
        case Interrupted():
            if now.step in _PATIENT or now.step is Step.WATCH:
                return now
            if now.tries + 1 >= INTERRUPTIONS_MAX:
                return _given_up(now, INTERRUPTED)
            return replace(now, tries=now.tries + 1)


def _before_changes(now: Standing, outcome: Outcome, at_ms: int) -> Standing:
    match outcome:
        case Done():
            return _done(now)
        case Failed(reason, passing=True):
            return replace(now, tries=now.tries + 1, due_ms=at_ms + wait_ms(now.tries), reason=reason)
        case Failed(reason):
            return _given_up(replace(now, step=Step.GATE), reason)
        case Interrupted():
            return now
    return after(replace(now, step=Step.GATE), outcome, at_ms)


def wait_ms(tries: int) -> int:
    """How long until the next try, after so many."""
    return int(min(RETRY_MS_MIN * 2 ** min(tries, 16), RETRY_MS_MAX))


def _done(now: Standing) -> Standing:
    if now.step is Step.KEEP:
        return Standing(Step.KEEP, end=End.KEPT)
    if now.step is Step.ROLL_BACK:
        return Standing(Step.ROLL_BACK, reason=now.reason, end=End.RETURNED)
    return Standing(_NEXT[now.step])


def _failed(now: Standing, reason: str, at_ms: int, *, passing: bool) -> Standing:
    # To go back and to put away are tried again whatever is wrong.
    patient = now.step in _PATIENT and (passing or now.step is not Step.FETCH)
    # What has changed the site half way is unwatched: it goes back, and is not tried where it stands.
    if patient or (passing and now.tries + 1 < TRIES_MAX and now.step not in _UNDONE):
        # Why it goes back is worth more than why that failed once.
        kept = now.reason if now.step is Step.ROLL_BACK else reason
        return replace(now, tries=now.tries + 1, due_ms=at_ms + wait_ms(now.tries), reason=kept)
    return _given_up(now, reason)


def _given_up(now: Standing, reason: str) -> Standing:
    if now.step in _UNTOUCHED:
        return Standing(now.step, reason=reason, end=End.REFUSED)
    if now.step in _UNDONE:
        return Standing(Step.ROLL_BACK, reason=reason)
    return now  # it is being kept or undone already, and that goes on
