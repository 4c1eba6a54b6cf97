"""How fast nodes are let in, so that a fleet that comes back at once does not hold up the nodes that are there. Pure.

A second's worth comes in at once, then one after the other at the rate. Whose turn is near waits on its open stream,
which costs nothing; the others are told when to come back, each at a moment of its own, in the order they came.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cloud_sync.fleet.admission import NodeRefused

HOLD_S: Final = 10.0
"""A node waits so long with its stream open: a handshake that is not made twice is the cheapest."""

COME_BACK_S_MAX: Final = 300.0
"""Whatever the line: nodes that come too early are told again."""

BURST_S: Final = 1.0
"""Worth of admissions that pass without waiting."""


REFUSED_S: Final = 60.0
"""So long a certificate that was refused stays refused: nodes that are refused stay away as long."""

REFUSED_MAX: Final = 10_000
"""Certificates remembered at once; the one refused longest ago is asked about again."""


@dataclass(frozen=True)
class Turn:
    """Let in after `wait_s`; or, where `come_back_s` is not 0, not now."""

    wait_s: float = 0.0
    come_back_s: float = 0.0


class Admissions:
    """Turns of nodes that say Hello; whoever asks brings the time, in seconds that only go forward."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._next_s = 0.0
        self._last_return_s = 0.0

    def ask(self, now_s: float) -> Turn:
        """The turn of a node that has just come."""
        at_s = max(self._next_s, now_s - BURST_S)
        if at_s - now_s <= HOLD_S:
            self._next_s = at_s + self._step_s
            return Turn(wait_s=max(0.0, at_s - now_s))
        # Those that come back find the line shorter by those who waited in it.
        back_s = max(self._last_return_s, now_s + HOLD_S) + self._step_s
        self._last_return_s = min(back_s, now_s + COME_BACK_S_MAX)
        return Turn(come_back_s=self._last_return_s - now_s)


class Refusals:
    """Certificates refused a moment ago, and why; whoever asks brings the time, as to `Admissions`."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[float, type[NodeRefused], str]] = OrderedDict()

    def add(self, fingerprint: bytes, error: NodeRefused, now_s: float) -> None:
        """It was refused now."""
        self._found[fingerprint] = now_s + REFUSED_S, type(error), error.detail
        self._found.move_to_end(fingerprint)
        if len(self._found) > REFUSED_MAX:
            self._found.popitem(last=False)

    def check(self, fingerprint: bytes, now_s: float) -> None:
        """Raises what it was refused with within REFUSED_S."""
        ends_s, error, detail = self._found.get(fingerprint, (0.0, NodeRefused, ""))
        if now_s < ends_s:
            raise error(detail)
