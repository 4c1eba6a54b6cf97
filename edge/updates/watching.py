"""Whether an update that runs does well: by health, by the quality of answers, and by what leaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STARTS_MAX: Final = 3
"""Starts of the node while it is watched: one may be the site's own, the next an accident."""

SETTLED_S: Final = 3600.0
"""Up and well for so long, a node has started for good and its starts count anew: a site may be switched off each
night. Less, and a fault that ends the node within the hour would never count."""

TURNS_MIN: Final = 20
"""Before so many turns a share of them says nothing: of 20, a share that is 25 points worse is no chance (p < .02)."""

WORSE_BY: Final = 0.25
"""By which the share of turns without an answer may be worse than before."""

PROBES_WORSE_BY: Final = 0.1
"""By which the share of the site's own golden questions that find their document may be worse: texts are the same ones,
so that nothing but the update moves it."""

EGRESS_TIMES: Final = 4.0
EGRESS_FLOOR_BYTES_PER_S: Final = 500.0
"""What leaves may be so many times more than before, beyond what heartbeats of a quiet site come to."""

EGRESS_SECONDS_MIN: Final = 60.0
"""Before so long, one batch of rows would look like a flood."""


@dataclass(frozen=True)
class Vitals:
    """Sums since some moment in the past, and what can be asked now."""

    turns: int = 0
    unanswered: int = 0
    """Of these, refused, handed over, or asked back."""
    egress_bytes: int = 0
    probes: float | None = None
    """Share of the site's golden questions that find their document; None: it has none, or it was not looked."""
    fallbacks: tuple[str, ...] = ()
    """What runs weaker than asked."""


@dataclass(frozen=True)
class Baseline:
    """How it was before, by the week that ended then; `at` are the sums at that moment."""

    at: Vitals
    unanswered_share: float | None
    egress_per_s: float


def judge(before: Baseline, now: Vitals, watched_s: float, starts: int) -> str:
    """Why it must go back, as a short code; empty while it need not."""
    if starts > STARTS_MAX:
        return "restarts"
    if set(now.fallbacks) - set(before.at.fallbacks):
        return "fallback"
    if _finds_less(before.at.probes, now.probes) or _answers_less(before, now):
        return "quality"
    if watched_s >= EGRESS_SECONDS_MIN:
        allowed = EGRESS_TIMES * before.egress_per_s + EGRESS_FLOOR_BYTES_PER_S
        if (now.egress_bytes - before.at.egress_bytes) / watched_s > allowed:
            return "egress"
    return ""


def _finds_less(before: float | None, now: float | None) -> bool:
    return before is not None and now is not None and now < before - PROBES_WORSE_BY


def _answers_less(before: Baseline, now: Vitals) -> bool:
    found = share(now.unanswered - before.at.unanswered, now.turns - before.at.turns)
    return (
        before.unanswered_share is not None
        and found is not None
        and found > before.unanswered_share + WORSE_BY
    )


def share(unanswered: int, turns: int) -> float | None:
    """Of turns; None for too few to say."""
    return unanswered / turns if turns >= TURNS_MIN else None
