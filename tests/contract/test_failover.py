"""A device that is lost in the middle of the work: nothing is lost with it, it is said, and it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from edge.inference.failover import STUCK_MAX, FailoverRuntime, Pace, Placement
from edge.inference.loss import told as told_of
from models.errors import RuntimeUnavailable
from models.runtimes.port import Runtime
from models.runtimes.scripted import ScriptedRuntime, Trouble
from tests.contract.failing import PATIENCE_S, Load, Told, batch, check, until

PATIENT = Pace(deadline_s_min=PATIENCE_S, deadline_s_max=PATIENCE_S, return_first_s=0.01, return_s_max=0.05)
HASTY = replace(PATIENT, deadline_s_min=0.05, deadline_s_max=0.1)
"""Only where a call hangs: a busy machine may stand still for as long."""
TROUBLES: list[Trouble] = ["error", "nan", "wrong", "hang", "out_of_memory"]


@contextmanager
def failing_over(
    *opens: Callable[[], Runtime], pace: Pace = PATIENT
) -> Iterator[tuple[FailoverRuntime, Told]]:
    told = Told()
    devices = [*(f"GPU{number}" for number in range(len(opens))), "CPU"]
    opened = [
        Placement(device, open_) for device, open_ in zip(devices, [*opens, ScriptedRuntime], strict=True)
    ]
    runtime = FailoverRuntime(opened, on_change=told, pace=pace)
    try:
        yield runtime, told
    finally:
        runtime.close()


def test_the_first_placement_serves_once_it_is_open_and_checked() -> None:
    go = threading.Event()
    device = ScriptedRuntime(device="GPU0")

    def open_slowly() -> Runtime:
        assert go.wait(PATIENCE_S)
        return device

    with failing_over(open_slowly) as (runtime, told):
        check(runtime, 1)
        assert told.all == [told_of("starting", "GPU0", "CPU", 0.0)]
        assert (runtime.device, runtime.shortfall) == ("CPU", told.all[0])
        go.set()
        told.served()
        assert (runtime.device, runtime.shortfall) == ("GPU0", None)
        before = device.calls
        check(runtime, 2)
        assert device.calls == before + 1


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_request_is_lost_with_a_device_and_it_comes_back(trouble: Trouble) -> None:
    device = ScriptedRuntime(device="GPU0")
    reopened = KeptOpen(device)
    with failing_over(reopened.open, pace=HASTY if trouble == "hang" else PATIENT) as (runtime, told):
        told.served()
        with Load(runtime) as load:
            load.answers(20)
            device.trouble = trouble
            told.lost(trouble)
            until(lambda: runtime.device == "CPU")  # in haste one may have been lost before, and be back
            assert runtime.shortfall is not None
            load.answers(20)
            device.trouble = ""
            told.served()
            load.answers(20)
        lost = next(loss for loss in told.all if loss is not None and loss.reason == trouble)
        assert lost.slowdown > 0
        assert len([loss for loss in told.all if loss is None]) >= 1


class KeptOpen:
    """Hands out one scripted device however often it is opened; closing an opening leaves the device."""

    def __init__(self, device: ScriptedRuntime) -> None:
        self._device = device

    def open(self) -> Runtime:
        return _Opening(self._device)


class _Opening:
    name = "scripted"
    shortfall = None

    def __init__(self, device: ScriptedRuntime) -> None:
        self.device = device.device
        self.run = device.run
        self.run_layers = device.run_layers

    def close(self) -> None:
        pass


def test_threads_that_hang_are_bounded_and_their_answers_dropped() -> None:
    device = ScriptedRuntime(device="GPU0")
    opened = threading.Semaphore(0)

    def open_again() -> Runtime:
        opened.release()
        return KeptOpen(device).open()

    with failing_over(open_again, pace=HASTY) as (runtime, told):
        told.served()
        device.trouble = "hang"
        for number in range(8):
            check(runtime, number)
        for _ in range(STUCK_MAX):
            assert opened.acquire(timeout=PATIENCE_S)
        hands = runtime._others[0].hands
        refused = runtime._others[0].failures
        until(lambda: runtime._others[0].failures > refused + 2)
        assert hands.stuck == STUCK_MAX
        device.trouble = ""
        told.served()
        check(runtime, 9)


def test_a_device_that_comes_back_wrong_stays_out() -> None:
    device, other = ScriptedRuntime(device="GPU0"), ScriptedRuntime(device="GPU0")
    other.trouble = "wrong"
    openings = iter([device, other])
    with failing_over(lambda: next(openings, other)) as (runtime, told):
        told.served()
        device.trouble = "error"
        check(runtime, 1)
        told.lost("wrong")
        assert runtime.device == "CPU"
        check(runtime, 2)


def test_another_model_on_the_device_is_told_by_the_known_batch() -> None:
    with failing_over(lambda: _Turned()) as (runtime, told):
        told.lost("wrong")
        check(runtime, 1)


class _Turned(ScriptedRuntime):
    """Vectors of norm 1 that are another model's."""

    def run(self, *args: np.ndarray, want_states: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        embedding, states = super().run(*args, want_states=want_states)
        return embedding[:, ::-1], states


def test_the_second_of_three_serves_while_the_first_is_lost() -> None:
    first, second = ScriptedRuntime(device="GPU0"), ScriptedRuntime(device="GPU1")
    with failing_over(KeptOpen(first).open, KeptOpen(second).open) as (runtime, told):
        told.served()
        until(lambda: all(placed.runtime for placed in runtime._others))
        first.trouble = "error"
        check(runtime, 1)
        assert runtime.device == "GPU1"
        second.trouble = "nan"
        check(runtime, 2)
        assert runtime.device == "CPU"
        first.trouble = second.trouble = ""
        told.served()
        assert runtime.device == "GPU0"


def test_a_callers_mistake_loses_no_device() -> None:
    with failing_over(ScriptedRuntime) as (runtime, told):
        told.served()
        ids, mask = batch(3)
        with pytest.raises(RuntimeUnavailable):
            runtime.run(ids, mask[:, :-1])
        assert told.all[-1] is None
        check(runtime, 3)


def test_a_device_that_never_opens_is_said_with_its_reason() -> None:
    def fail() -> Runtime:
        raise RuntimeUnavailable("no driver")

    with failing_over(fail) as (runtime, told):
        told.lost("error")
        check(runtime, 1)


def test_a_closed_one_says_so_and_frees_what_it_opened() -> None:
    device = ScriptedRuntime(device="GPU0")
    with failing_over(lambda: device) as (runtime, told):
        told.served()
    with pytest.raises(RuntimeUnavailable):
        runtime.run(*batch(1))
    with pytest.raises(RuntimeUnavailable):
        device.run(*batch(1))


def test_alone_on_the_processor_it_only_passes_on() -> None:
    with failing_over() as (runtime, told):
        check(runtime, 1)
        assert told.all == []
        assert (runtime.name, runtime.device, runtime.shortfall) == ("scripted", "CPU", None)
