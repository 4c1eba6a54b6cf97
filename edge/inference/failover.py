"""One encoder on several placements, the best first: what goes wrong on one is done by the next, within a second.

A `Runtime` itself, used from any thread. The last placement is the processor in this process: it is opened at once and
serves whatever the others do. Each of the others is opened, checked by a known batch and taken into service in the
background, at the start and after a loss alike. It is lost by an error, by an answer that is no embedding and by a call
that outlives its deadline; the batch goes on to the next placement, and so does all that follows. Nothing is answered
twice: what a call gives that was given up is dropped.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import Final

import numpy as np

from edge.inference.bounded import BoundedRuntime, bounded, check_answer
from edge.inference.hands import Hands
from edge.inference.loss import PlacementFailed, Reason, reason_of, told
from models.placement import Shortfall
from models.runtimes.port import Floats, Ids, Layers, Runtime, check_batch

log = logging.getLogger(__name__)

DEADLINE_S_MAX: Final = 0.7
"""Work moves on within a second; the processor needs some 0.1 s of it for a full pass."""

DEADLINE_S_MIN: Final = 0.25
"""A shared machine stands still for a tenth of a second now and then; that is no hang."""

DEADLINE_FACTOR: Final = 10.0
"""Times what such a batch usually takes: several lanes share a device, and its clock may drop to a third."""

NEWEST_WEIGHT: Final = 0.1
"""In the running mean of a cell's seconds: remembers about the last ten batches."""

OPEN_S_MAX: Final = 300.0
"""TensorRT builds its engine for minutes, the first time."""

CLOSE_S_MAX: Final = 5.0

STUCK_MAX: Final = 4
"""Hung calls of one placement, past which it is not probed: each probe may leave one more thread behind."""

KNOWN_COSINE_MIN: Final = 0.95
"""Between placements on the known batch. ONNX Runtime and OpenVINO, int8 both, agree to .97; garbage is near 0."""

RETURN_FIRST_S: Final = 1.0
"""Before the first probe: the supervisor has restarted a dead worker by then."""

RETURN_S_MAX: Final = 60.0
"""Between probes: a device that comes and goes costs each time one batch its deadline."""

STABLE_S: Final = 60.0
"""A placement that served this long begins again with the first pause."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the encoder may run. `open` blocks until calls are fast (warm), and raises ModelError."""

    device: str
    open: Callable[[], Runtime]


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient to be; other values are for tests."""

    deadline_s_min: float = DEADLINE_S_MIN
    deadline_s_max: float = DEADLINE_S_MAX
    return_first_s: float = RETURN_FIRST_S
    return_s_max: float = RETURN_S_MAX
    stable_s: float = STABLE_S


PACE: Final = Pace()


def deadline_s(seconds_per_cell: float, cells: int, pace: Pace) -> float:
    """For a batch of so many cells (rows x tokens), from what a cell usually takes; 0: nothing is known yet."""
    if not seconds_per_cell:
        return pace.deadline_s_max
    return min(pace.deadline_s_max, max(pace.deadline_s_min, DEADLINE_FACTOR * seconds_per_cell * cells))


def pause_s(failures: int, chance: float, pace: Pace) -> float:
    """Before the next probe: doubles with each failure, and is spread by half both ways; `chance` is in [0, 1)."""
    return (0.5 + chance) * min(pace.return_s_max, pace.return_first_s * 2.0 ** min(failures, 32))


def known_batch() -> tuple[Ids, Ids]:
    """Ids and mask of the probe: ids that every vocabulary has, and one shorter row."""
    ids = np.arange(1000, 1064, dtype=np.int64).reshape(4, 16)
    mask = np.ones_like(ids)
    mask[1, 9:] = 0
    return ids, mask


class _Placed:
    """One placement's life. `runtime` is None while it does not serve."""

    def __init__(self, placement: Placement) -> None:
        self.device = placement.device
        self.open = placement.open
        self.hands = Hands(f"encoder-{placement.device.lower()}")
        self.runtime: BoundedRuntime | None = None
        self.reason: Reason = "starting"
        self.failures = 0
        self.probe_at = self.since = 0.0
        self.seconds_per_cell = self.known_s = 0.0

    def wait(self, pace: Pace) -> None:
        """Put off the next probe."""
        chance = random.random()  # noqa: S311 - spreads load, keeps no secret
        self.probe_at = monotonic() + pause_s(self.failures, chance, pace)

    def run(
        self, runtime: BoundedRuntime, ids: Ids, mask: Ids, want_states: bool, pace: Pace
    ) -> tuple[Floats, Floats | None]:
        """The checked answer. Raises PlacementFailed."""
        began = perf_counter()
        limit_s = deadline_s(self.seconds_per_cell, ids.size, pace)
        try:
            found = runtime.run_within(limit_s, ids, mask, want_states=want_states)
        except Exception as error:
            raise PlacementFailed(reason_of(error), f"{self.device} failed.") from error
        check_answer(*found, rows=len(ids))
        cell_s = (perf_counter() - began) / ids.size
        self.seconds_per_cell += NEWEST_WEIGHT * (cell_s - self.seconds_per_cell)
        return found


class FailoverRuntime:
    """The best placement that works. `on_change` gets the Shortfall while that is not the first, None when it is again.

    It is called in whatever thread noticed, one call at a time; it must not block.
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        *,
        on_change: Callable[[Shortfall | None], None] = lambda _: None,
        pace: Pace = PACE,
    ) -> None:
        """Opens the last placement, and in the background the others. Raises what opening the last one raises."""
        self._pace = pace
        self._on_change = on_change
        self._others = [_Placed(each) for each in placements[:-1]]
        self._last = placements[-1].open()
        self._known, self._known_s = _timed(self._last)
        self._changed = threading.Condition()
        self._closed = False
        self._told: Shortfall | None = None
        with self._changed:
            self._tell()
        self._prober = threading.Thread(target=self._keep_probing, name="encoder-return", daemon=True)
        self._prober.start()

    @property
    def name(self) -> str:
        """The runtime that answers now."""
        return self._serving().name

    @property
    def device(self) -> str:
        """The device that answers now."""
        return self._serving().device

    @property
    def shortfall(self) -> Shortfall | None:
        """What is lost and why; None while the first placement serves."""
        return self._told or self._serving().shortfall

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises what the last placement raises."""
        check_batch(input_ids, attention_mask)  # a caller's mistake loses no device
        for placed in self._others:
            runtime = placed.runtime
            if runtime is None:
                continue
            try:
                return placed.run(runtime, input_ids, attention_mask, want_states, self._pace)
            except PlacementFailed as error:
                self._lose(placed, runtime, error.reason)
        return self._last.run(input_ids, attention_mask, want_states=want_states)

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """See `Runtime.run_layers`: always by the last placement, for devices do not hand their layers over."""
        return self._last.run_layers(input_ids, attention_mask)

    def close(self) -> None:
        """Free the models; a later `run` is an error."""
        with self._changed:
            self._closed = True
            runtimes = [(placed, placed.runtime) for placed in self._others]
            for placed in self._others:
                placed.runtime = None
            self._changed.notify_all()
        for placed, runtime in runtimes:
            if runtime is not None:
                _close(placed, runtime)
            placed.hands.close()
        self._last.close()

    def _serving(self) -> Runtime:
        return next((placed.runtime for placed in self._others if placed.runtime), self._last)

    def _lose(self, placed: _Placed, runtime: Runtime, reason: Reason) -> None:
        """Take a placement out of service, unless another thread did so, or it has come back since."""
        with self._changed:
            if placed.runtime is not runtime:
                return
            placed.runtime, placed.reason = None, reason
            stable = monotonic() - placed.since >= self._pace.stable_s
            placed.failures = 0 if stable else placed.failures + 1
            placed.wait(self._pace)
            self._tell()
            self._changed.notify_all()
        # Not here: freeing what hangs may hang.
        threading.Thread(target=_close, args=(placed, runtime), name="encoder-close", daemon=True).start()

    def _tell(self) -> None:
        """Say what has changed, if anything; the lock is held, so that it is said in order."""
        first = self._others[0] if self._others else None
        loss = None
        if first is not None and first.runtime is None:
            serving = next((each for each in self._others if each.runtime), None)
            here_s = serving.known_s if serving else self._known_s
            slowdown = here_s / first.known_s if first.known_s else 0.0
            device = serving.device if serving else self._last.device
            loss = told(first.reason, first.device, device, slowdown)
        if loss == self._told:
            return
        self._told = loss
        self._on_change(loss)

    def _keep_probing(self) -> None:
        """Open and check what is lost, one after the other, until closed."""
        while (placed := self._next_probe()) is not None:
            try:
                runtime = self._probe(placed)
            except PlacementFailed as error:
                self._still_lost(placed, error.reason)
            else:
                self._take_back(placed, runtime)

    def _next_probe(self) -> _Placed | None:
        """Waits for a lost placement whose time has come; None when closed."""
        with self._changed:
            while not self._closed:
                lost = [placed for placed in self._others if placed.runtime is None]
                due = min(lost, key=lambda placed: placed.probe_at, default=None)
                wait_s = None if due is None else due.probe_at - monotonic()
                if due is not None and wait_s is not None and wait_s <= 0:
                    return due
                self._changed.wait(wait_s)
        return None

    def _probe(self, placed: _Placed) -> BoundedRuntime:
        """The placement, open, warm and of the right answer. Raises PlacementFailed."""
        if placed.hands.stuck >= STUCK_MAX:
            raise PlacementFailed("hang", f"{placed.hands.stuck} calls hang on {placed.device}.")
        runtime: Runtime | None = None
        try:
            runtime = placed.hands.call(placed.open, OPEN_S_MAX)
            known, seconds = placed.hands.call(partial(_timed, runtime), 3 * self._pace.deadline_s_max)
            check_answer(known, None, len(self._known))
            if np.einsum("ij,ij->i", known, self._known).min() < KNOWN_COSINE_MIN:
                raise PlacementFailed("wrong", f"{placed.device} gets the known batch wrong.")
        except Exception as error:
            if runtime is not None:
                _close(placed, runtime)
            reason: Reason = "hang" if isinstance(error, TimeoutError) else reason_of(error)
            raise PlacementFailed(reason, f"{placed.device} does not come back.") from error
        placed.known_s = seconds
        placed.seconds_per_cell = seconds / known_batch()[0].size
        return bounded(runtime, placed.hands)

    def _take_back(self, placed: _Placed, runtime: BoundedRuntime) -> None:
        with self._changed:
            if not self._closed:
                placed.runtime, placed.since = runtime, monotonic()
                self._tell()
                return
        _close(placed, runtime)

    def _still_lost(self, placed: _Placed, reason: Reason) -> None:
        with self._changed:
            placed.reason = reason
            placed.failures += 1
            placed.wait(self._pace)
            self._tell()


def _timed(runtime: Runtime) -> tuple[Floats, float]:
    """The embeddings of the known batch and the seconds of a second pass: the first one may still warm up."""
    ids, mask = known_batch()
    runtime.run(ids, mask, want_states=False)
    began = perf_counter()
    embedding, _ = runtime.run(ids, mask, want_states=False)
    return embedding, perf_counter() - began


def _close(placed: _Placed, runtime: Runtime) -> None:
    """Free a runtime, as far as it lets itself be freed."""
    try:
        placed.hands.call(runtime.close, CLOSE_S_MAX)
    except Exception as error:
        log.warning(
            "a lost device cannot be closed", extra={"device": placed.device, "error": type(error).__name__}
        )
