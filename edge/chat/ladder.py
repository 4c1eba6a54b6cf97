"""The ladder of service: what a question gets when the node cannot do its best. Pure but for what it counts.

Words of a model → the documents' own → the desk's card → a refusal that says when to come back. Which of the first two
an answer is, `routing` and `generating` decide; here is what comes below, and the account of all four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from edge import metrics
from edge.chat.rates import Rate
from edge.chat.routing import Route

SHOWN_S: Final = 60.0
"""So long a step below the documents' words is shown as what the node can do: as long as its counts are looked at."""

COMPONENT: Final = "ladder"
"""What runs weaker than asked meanwhile."""


class Step(StrEnum):
    """From the best down; names are those of the metric."""

    GENERATIVE = "generative"
    EXTRACTIVE = "extractive"
    CARD = "card"
    REFUSED = "refused"


class Trouble(StrEnum):
    """Why a question got less than that."""

    QUEUE_FULL = "queue_full"
    ENCODER_LOST = "encoder_lost"
    STORE_UNWRITABLE = "store_unwritable"
    """It was looked up, and could not be recorded, where the site answers nothing unrecorded."""


def step_of(route: Route) -> Step:
    """The step of a question that was looked up."""
    return Step.GENERATIVE if route in {Route.GENERATE, Route.OVERFLOW} else Step.EXTRACTIVE


def step_below(*, person: bool, wait_s: float) -> Step:
    """The step of one that could not be. `wait_s`: until the next card may be handed out.

    A program shows nobody a card: it is told at once when to come back.
    """
    return Step.CARD if person and wait_s <= 0 else Step.REFUSED


class Ladder:
    """Cards that may be handed out, and how often each step was taken. Used from one event loop."""

    def __init__(self, cards_per_minute: int, clock: Callable[[], float]) -> None:
        """`clock`: seconds, never going back."""
        self._cards = Rate(cards_per_minute)
        self._whole_at_s = 0.0
        self._clock = clock
        self._taken: Counter[Step] = Counter()
        self._trouble: Trouble | None = None
        self._shown_until_s = 0.0

    def looked_up(self, route: Route) -> None:
        """A question was answered after it was looked up."""
        self._count(step_of(route))

    def below(self, trouble: Trouble, *, person: bool) -> Step:
        """What a question gets that cannot be looked up."""
        now_s = self._clock()
        step = step_below(person=person, wait_s=self._cards.wait_s(self._whole_at_s, now_s))
        if step is Step.CARD:
            self._whole_at_s = self._cards.taken(self._whole_at_s, now_s)
        self._show(trouble, step)
        return step

    def refuse(self, trouble: Trouble) -> None:
        """A question gets nothing."""
        self._show(trouble, Step.REFUSED)

    def reason(self) -> str:
        """Why customers got less than the documents' words within the last minute; empty where they did not."""
        return self._trouble if self._trouble and self._clock() < self._shown_until_s else ""

    def counts(self) -> Mapping[str, int]:
        """Questions by step since the start."""
        return {step: self._taken[step] for step in Step}

    def _show(self, trouble: Trouble, step: Step) -> None:
        self._trouble, self._shown_until_s = trouble, self._clock() + SHOWN_S
        self._count(step)

    def _count(self, step: Step) -> None:
        self._taken[step] += 1
        metrics.ladder.labels(step).inc()
