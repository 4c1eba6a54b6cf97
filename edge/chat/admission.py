"""Who may begin a conversation now, and who may ask: rates and numbers, for an address, a conversation and the node.

Every limit is a setting (`[limits]`), and every refusal says truthfully when to come back. Times are seconds of the
machine's boot clock, which no change of the wall clock moves.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from core.errors import PosternError
from edge.chat.rates import CallerRates, Rate
from edge.config import LimitsSection

# What the node's own rates are kept under.
_NODE = "node"


class TooManySessions(PosternError):
    """The node, or the caller's address, holds as many conversations as it may."""

    code = "too_many_sessions"
    title = "The desk is very busy"
    remedy = "Try again in a minute."
    status = 503

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class RateLimited(PosternError):
    """Somebody does something more often than a person would."""

    code = "rate_limited"
    title = "That was too fast"
    remedy = "Wait for as long as Retry-After says, then try again."
    status = 429

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class Admission:
    """Counts conversations and questions. Used from one event loop."""

    def __init__(self, limits: LimitsSection) -> None:
        self._limits = limits
        self._begun = CallerRates(Rate(limits.address_sessions_per_minute))
        self._node_begun = CallerRates(Rate(limits.node_sessions_per_minute))
        self._node_asked = CallerRates(Rate(limits.node_turns_per_minute))
        self._open: Counter[str] = Counter()
        self._total = 0

    def begin(self, address: str | None, now_s: float, next_end_s: Callable[[str | None], float]) -> None:
        """Take a place for a new conversation; give it back with `end`. Raises TooManySessions, RateLimited.

        `address` None: the site's own command line, which only the node's limits bind. `next_end_s`: when the
        next conversation of an address, or of any, ends by itself.
        """
        self._check_places(address, now_s, next_end_s)
        waits = [self._node_begun.wait_s(_NODE, now_s)]
        waits += [self._begun.wait_s(address, now_s)] if address else []
        if max(waits) > 0:
            raise RateLimited("More conversations begin than this node takes on in a minute.", max(waits))
        self._node_begun.take(_NODE, now_s)
        if address:
            self._begun.take(address, now_s)
        self.adopt(address)

    def adopt(self, address: str | None) -> None:
        """Count a conversation that is open already, found again after a restart."""
        self._total += 1
        if address:
            self._open[address] += 1

    def end(self, address: str | None) -> None:
        """Give a place back."""
        self._total -= 1
        if address:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def ask(self, rate: Rate, whole_at_s: float, now_s: float) -> float:
        """Count a question; the conversation's allowance afterwards (`edge.chat.rates`). Raises RateLimited."""
        own, node = rate.wait_s(whole_at_s, now_s), self._node_asked.wait_s(_NODE, now_s)
        if own > 0:
            raise RateLimited(f"A conversation may ask {rate.per_minute} questions a minute.", max(own, node))
        if node > 0:
            raise RateLimited("More questions arrive than this node takes on in a minute.", node)
        self._node_asked.take(_NODE, now_s)
        return rate.taken(whole_at_s, now_s)

    def _check_places(
        self, address: str | None, now_s: float, next_end_s: Callable[[str | None], float]
    ) -> None:
        limits = self._limits
        if self._total >= limits.sessions_max:
            raise TooManySessions(
                f"This node holds {limits.sessions_max} conversations already.", next_end_s(None) - now_s
            )
        if address and self._open[address] >= limits.address_sessions_max:
            raise TooManySessions(
                f"Your address holds {limits.address_sessions_max} conversations already.",
                next_end_s(address) - now_s,
            )
