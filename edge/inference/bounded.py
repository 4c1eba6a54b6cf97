"""Calls of an encoder that end in time, and what counts as an answer."""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol, runtime_checkable

import numpy as np

from edge.inference.hands import Hands
from edge.inference.loss import PlacementFailed
from models.runtimes.port import Floats, Ids, Runtime

NORM_TOLERANCE: Final = 0.05
"""Of an embedding, whose norm is 1; half precision is off by 0.001."""


@runtime_checkable
class BoundedRuntime(Runtime, Protocol):
    """A runtime whose calls can be given a deadline."""

    def run_within(
        self, seconds: float, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """As `run`. Raises PlacementFailed (hang) past the deadline."""
        ...


class InHand:
    """A runtime of this process, called by another thread, so that the caller can leave."""

    def __init__(self, runtime: Runtime, hands: Hands) -> None:
        self.name, self.device, self.shortfall = runtime.name, runtime.device, runtime.shortfall
        self.run = runtime.run
        self.run_layers = runtime.run_layers
        self.close = runtime.close
        self._hands = hands

    def run_within(
        self, seconds: float, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `BoundedRuntime`."""
        try:
            return self._hands.call(
                partial(self.run, input_ids, attention_mask, want_states=want_states), seconds
            )
        except TimeoutError:
            raise PlacementFailed("hang", f"{self.device} gave no answer for {seconds:.2f} s.") from None


def bounded(runtime: Runtime, hands: Hands) -> BoundedRuntime:
    """The runtime itself where it keeps deadlines, else in the hands of another thread."""
    return runtime if isinstance(runtime, BoundedRuntime) else InHand(runtime, hands)


def check_answer(embedding: Floats, states: Floats | None, rows: int) -> None:
    """Raises PlacementFailed for what no encoder says: NaN, infinities, vectors that are not of norm 1."""
    # A sum of squares is not finite if one number is not; ten times as fast as looking at each.
    squares = np.einsum("ij,ij->i", embedding, embedding)
    if not np.isfinite(squares).all() or (states is not None and not np.isfinite(np.vdot(states, states))):
        raise PlacementFailed("nan", "The device answered with numbers that are none.")
    if len(squares) != rows or np.abs(squares - 1.0).max() > 2 * NORM_TOLERANCE:
        raise PlacementFailed("wrong", "The device answered with vectors that are not of norm 1.")
