"""Which way an answer takes, and whose language model is asked in which order.

Pure: a table of rules over what is known before anything is awaited. So it is decided before a deadline is lost, not
after: a model that will begin too late is not waited for, and the control plane's is asked only where it begins
sooner and none at the site soon enough, or in the place of one that is lost on the way (`edge.chat.relay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from edge.inference.conversation import Provider


class Route(StrEnum):
    """How a turn is answered; the names are part of the contract."""

    ANSWER = "answer"
    GENERATE = "generate"
    OVERFLOW = "overflow"
    CLARIFY = "clarify"
    HANDOFF = "handoff"
    REFUSE = "refuse"
    SAFETY = "safety"


class Reason(StrEnum):
    """Why the control plane's model was asked; the names are in metrics."""

    PREDICTED_WAIT = "predicted_wait"
    """The site's own would have begun later, and not soon enough."""
    NO_LOCAL_MODEL = "no_local_model"
    LOCAL_FAILED = "local_failed"
    """The site's own is down, or was lost before its first text."""
    LOCAL_CUT = "local_cut"
    """The site's own was lost in the middle of its text."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known of a provider before it is asked.

    usable        connected, not known to fail, and it did not ask to be left alone
    first_text_s  predicted, were it asked now
    refusal       why this text may not go there, as a short code; empty where it may
    """

    provider: Provider
    usable: bool
    first_text_s: float
    refusal: str = ""

    @property
    def open(self) -> bool:
        """Whether it may be asked at all."""
        return self.usable and not self.refusal


@dataclass(frozen=True, slots=True)
class Decision:
    """The way.

    providers  whom to ask, in order; those that begin too late stand last: they may go on after a cut
    reason     why the control plane's is the first, where it is
    busy       models are there, and none begins in time
    """

    route: Route
    providers: tuple[Provider, ...] = ()
    reason: Reason | None = None
    busy: bool = False


def decide(
    *,
    evidence: float,
    evidence_min: float,
    competing: bool,
    generative: bool,
    prospects: Sequence[Prospect] = (),
    first_text_s_max: float = 0.0,
    overflow_after_s: float = 0.0,
) -> Decision:
    """No evidence, no answer: a question back where two passages compete, else a human.

    A model's own words only where the site asked for them and one begins within `first_text_s_max`; else the documents'
    words, which are there at once. The site's own model first, unless the control plane's begins sooner and the site's
    own not even within `overflow_after_s`.
    """
    if evidence < evidence_min:
        return Decision(Route.CLARIFY if competing else Route.HANDOFF)
    if not generative:
        return Decision(Route.ANSWER)
    asked = [one for one in prospects if one.open]
    in_time = [one for one in asked if one.first_text_s <= first_text_s_max]
    if not in_time:
        return Decision(Route.ANSWER, busy=bool(asked))
    order = sorted(asked, key=lambda one: (one not in in_time, _rank(one, overflow_after_s)))
    providers = tuple(one.provider for one in order)
    if providers[0] is not Provider.CLOUD:
        return Decision(Route.GENERATE, providers)
    return Decision(Route.OVERFLOW, providers, _why_not_here(prospects))


def refused(prospects: Sequence[Prospect], refusal: str) -> tuple[Prospect, ...]:
    """The same, once it is known that a text may not go to the control plane."""
    return tuple(
        replace(one, refusal=refusal) if one.provider is Provider.CLOUD else one for one in prospects
    )


def route_of(provider: Provider) -> Route:
    """Of an answer whose end that provider's model wrote."""
    return Route.OVERFLOW if provider is Provider.CLOUD else Route.GENERATE


def _rank(one: Prospect, overflow_after_s: float) -> tuple[bool, float, bool]:
    """Of two: one of the site's own that begins soon, then whoever begins sooner."""
    far = one.provider is Provider.CLOUD
    return far or one.first_text_s > overflow_after_s, one.first_text_s, far


def _why_not_here(prospects: Sequence[Prospect]) -> Reason:
    """Why none of the site's own is asked first."""
    local = [one for one in prospects if one.provider is not Provider.CLOUD]
    if not local:
        return Reason.NO_LOCAL_MODEL
    return Reason.PREDICTED_WAIT if any(one.open for one in local) else Reason.LOCAL_FAILED
