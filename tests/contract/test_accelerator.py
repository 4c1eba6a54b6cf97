"""The encoder in the worker's process: over the real socket, under the real supervisor, and what befalls a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from core.local_socket import frame, receive_frame
from edge.inference.accelerator import LINES_MAX, AcceleratorRuntime
from edge.inference.encoders import CELLS_MAX, PART_BYTES, PASSES_MAX
from edge.inference.failover import FailoverRuntime, Pace, Placement
from edge.inference.loss import PlacementFailed
from edge.inference.opening import choice_of, open_chosen, over_worker
from edge.inference.worker_client import GenerationTimedOut, WorkerClient, WorkerDied
from models.catalog import DEFAULT_ENCODER, models_dir
from models.encoder import open_encoder
from models.errors import ModelRefused, RuntimeUnavailable
from models.placement import Candidate, Plan
from models.runtimes.scripted import ScriptedRuntime, Trouble
from postern.v1 import worker_pb2 as pb
from tests.contract.failing import PATIENCE_S, Load, Told, until
from tests.contract.supervised_worker import SCRIPTED, Worker, supervised

DIM = 384
PATIENT = Pace(deadline_s_min=PATIENCE_S, deadline_s_max=PATIENCE_S, return_first_s=0.05, return_s_max=0.2)
SHARED_SCALE_COSINE_MIN = 0.95
HASTY = replace(PATIENT, deadline_s_min=0.3, deadline_s_max=0.3)
"""Only where the worker hangs: a busy machine may stand still for as long."""


@contextmanager
def failing_over(worker: Worker, pace: Pace = PATIENT) -> Iterator[tuple[FailoverRuntime, Told]]:
    told = Told()
    placements = [Placement("GPU0", worker.open), Placement("CPU", lambda: ScriptedRuntime(dim=DIM))]
    runtime = FailoverRuntime(placements, on_change=told, pace=pace)
    try:
        told.served()
        yield runtime, told
    finally:
        runtime.close()


@contextmanager
def hasty_load(folder: Path) -> Iterator[tuple[Worker, Told, Load]]:
    """A supervised worker, and callers of what fails over from it in haste."""
    with (
        supervised(folder) as worker,
        failing_over(worker, HASTY) as (runtime, told),
        Load(runtime, dim=DIM) as load,
    ):
        yield worker, told, load


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with supervised(tmp_path_factory.mktemp("worker")) as started:
        yield started


def batch(rows: int, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(3).integers(1000, 20_000, (rows, tokens))
    return ids, np.ones_like(ids)


PART_TOKENS = PART_BYTES // (DIM * 4) - 1
"""One row with its embedding and the states of so many tokens fits into one frame of an answer."""


@pytest.mark.parametrize(
    ("rows", "tokens"), [(1, 1), (3, 7), (1, PART_TOKENS), (1, PART_TOKENS + 1), (64, 64)]
)
@pytest.mark.parametrize("want_states", [True, False])
def test_an_answer_of_any_size_is_whole(worker: Worker, rows: int, tokens: int, want_states: bool) -> None:
    with closing(worker.open()) as runtime:
        embedding, states = runtime.run(*batch(rows, tokens), want_states=want_states)
        expected, expected_states = ScriptedRuntime(dim=DIM).run(
            *batch(rows, tokens), want_states=want_states
        )
        np.testing.assert_allclose(embedding, expected, atol=1e-5)
        if expected_states is None:
            assert states is None
        else:
            np.testing.assert_allclose(states, expected_states, atol=1e-5)
            assert states is not None and states.flags.writeable


def test_health_says_what_is_open(worker: Worker) -> None:
    with closing(worker.open()) as runtime:
        health = worker.health()
        assert (health.encoder_runtime, health.encoder_device) == (runtime.name, runtime.device)


def test_a_batch_that_is_too_long_goes_nowhere(worker: Worker) -> None:
    with closing(worker.open()) as runtime:
        assert runtime.run(*batch(CELLS_MAX // 64, 64), want_states=False)[0].shape == (CELLS_MAX // 64, DIM)
        with pytest.raises(RuntimeUnavailable):
            runtime.run(*batch(CELLS_MAX // 64 + 1, 64), want_states=False)
        assert runtime.run(*batch(1, 4))[0].shape == (1, DIM)


def test_more_callers_than_connections_wait_for_each_other(worker: Worker) -> None:
    with closing(worker.open()) as runtime:
        load = Load(runtime, lanes=2 * LINES_MAX, dim=DIM)
        with load:
            load.answers(200)


def test_a_device_that_is_not_there_is_refused(worker: Worker) -> None:
    with pytest.raises(PlacementFailed) as caught:
        AcceleratorRuntime(worker.path, replace(SCRIPTED, device="CUDA"))
    assert caught.value.reason == "error"


def test_without_a_worker_it_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(PlacementFailed) as caught:
        AcceleratorRuntime(tmp_path / "nothing.sock", SCRIPTED)
    assert caught.value.reason == "unreachable"


def asked(line: socket.socket, request: pb.WorkerRequest) -> pb.WorkerResponse:
    line.sendall(frame(request))
    return receive_frame(line, pb.WorkerResponse, time.monotonic() + PATIENCE_S)


OPEN = pb.WorkerRequest(
    encoder_open=pb.EncoderOpen(id=1, model=DEFAULT_ENCODER, runtime="scripted", device="CPU")
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"rows": 2},
        {"tokens": 3},
        {"input_ids": bytes(8)},
        {"attention_mask": b""},
        {"deadline_ms": 0},
        {"rows": 1 << 31, "tokens": 1 << 31},
    ],
)
def test_a_pass_that_is_not_well_formed_is_refused_and_the_next_one_served(
    worker: Worker, wrong: dict[str, int | bytes]
) -> None:
    right: dict[str, int | bytes] = {
        "id": 2,
        "rows": 1,
        "tokens": 2,
        "input_ids": np.array([5, 6], "<i8").tobytes(),
        "attention_mask": np.array([1, 1], "<i8").tobytes(),
        "deadline_ms": 20_000,
    }
    with closing(socket.socket(socket.AF_UNIX)) as line:
        line.connect(str(worker.path))
        assert asked(line, OPEN).encoder_opened.device == "CPU"
        refused = asked(line, pb.WorkerRequest(encode=pb.Encode(**{**right, **wrong})))
        assert refused.encode_refused.code == "bad_request"
        answer = asked(line, pb.WorkerRequest(encode=pb.Encode(**right))).encoded
        assert (answer.id, answer.dim, len(answer.data)) == (2, DIM, 4 * DIM)


def test_connections_that_ask_for_passes_are_bounded(worker: Worker) -> None:
    lines = [socket.socket(socket.AF_UNIX) for _ in range(PASSES_MAX + 1)]
    try:
        for line in lines[:-1]:
            line.connect(str(worker.path))
            assert asked(line, OPEN).HasField("encoder_opened")
        lines[-1].connect(str(worker.path))
        with pytest.raises(ConnectionError):
            asked(lines[-1], OPEN)
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize("trouble", ["error", "nan", "wrong", "out_of_memory"])
def test_no_request_is_lost_with_the_device(tmp_path: Path, trouble: Trouble) -> None:
    with (
        supervised(tmp_path) as worker,
        failing_over(worker) as (runtime, told),
        Load(runtime, dim=DIM) as load,
    ):
        load.answers(20)
        worker.met(trouble)
        told.lost(trouble)
        load.answers(20)
        worker.met("")
        told.served()
        load.answers(20)


def test_a_worker_that_hangs_is_ended_by_itself_and_started_again(tmp_path: Path) -> None:
    with hasty_load(tmp_path) as (worker, told, load):
        first = worker.health().pid
        load.answers(20)
        worker.met("hang")
        told.lost("hang")
        load.answers(20)
        until(lambda: not Path(f"/proc/{first}").exists())
        worker.met("")
        told.served()
        assert worker.health().pid != first
        load.answers(20)


def test_a_worker_that_is_killed_takes_no_request_with_it(tmp_path: Path) -> None:
    with (
        supervised(tmp_path) as worker,
        failing_over(worker) as (runtime, told),
        Load(runtime, dim=DIM) as load,
    ):
        load.answers(20)
        os.kill(worker.health().pid, signal.SIGKILL)
        told.lost("unreachable")
        load.answers(20)
        told.served()
        load.answers(20)


def test_a_worker_that_was_stopped_is_killed_and_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with hasty_load(tmp_path) as (worker, told, load):
        first = worker.health().pid
        load.answers(20)
        os.kill(first, signal.SIGSTOP)
        told.lost("hang")
        load.answers(20)
        until(lambda: worker.listens(other_than=first))
        told.served()
        load.answers(20)
    assert "process gives no sign of life: it is killed" in caplog.messages


def test_a_worker_that_stands_still_for_a_moment_is_left_alone(tmp_path: Path) -> None:
    with hasty_load(tmp_path) as (worker, told, load):
        pid = worker.health().pid
        load.answers(20)
        os.kill(pid, signal.SIGSTOP)
        try:
            told.lost("hang")
        finally:
            os.kill(pid, signal.SIGCONT)
        told.served()
        load.answers(20)
        assert worker.health().pid == pid


async def test_a_generation_that_hangs_past_its_deadline_ends_the_worker(tmp_path: Path) -> None:
    with supervised(tmp_path, "hung") as worker:
        first = worker.health().pid
        client = WorkerClient(worker.path)
        await client.preload()  # so that it writes, and does not open, when its time is over
        with pytest.raises((GenerationTimedOut, WorkerDied)):
            async for _ in client.generate([("user", "Hello")], max_new_tokens=5, deadline_s=0.1):
                pass
        await client.close()
        await asyncio.to_thread(until, lambda: worker.listens(other_than=first))
        assert "a native call hangs" in (tmp_path / "worker.log").read_text()


async def test_passes_do_not_wait_behind_a_generation(tmp_path: Path) -> None:
    with supervised(tmp_path) as worker:
        client = WorkerClient(worker.path)
        answer = client.generate([("user", "Hello")], max_new_tokens=1000, deadline_s=PATIENCE_S)
        assert await anext(answer)
        with closing(await asyncio.to_thread(worker.open)) as runtime:
            for _ in range(10):
                await asyncio.to_thread(runtime.run, *batch(2, 8))
        assert await anext(answer)
        await answer.aclose()
        await client.close()


@pytest.fixture
def placed_on_npu(monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """The plan says NPU, as if it had been measured to be the fastest here."""
    candidate = Candidate(
        runtime="onnxruntime",
        device="NPU",
        precision="int8",
        threads=1,
        lanes=1,
        shapes="static",
        pass_tokens=8192,
    )
    monkeypatch.setattr("models.encoder.plan_encoder", lambda *_: Plan(candidate))
    return candidate


@pytest.mark.models
@pytest.mark.models
@pytest.mark.usefixtures("placed_on_npu")
def test_an_encoder_that_is_placed_on_an_accelerator_survives_its_worker(tmp_path: Path) -> None:
    texts = ["Where is the lift?", "When does the pharmacy open?"] * 40
    with supervised(tmp_path) as worker:
        opened = open_encoder(models_dir(), accelerated=partial(over_worker, worker.path))
        with closing(opened), closing(opened.in_background()) as background:
            until(lambda: opened.info.device == "NPU")
            assert opened.info.shortfall is None
            before = opened.embed(texts)
            os.kill(worker.health().pid, signal.SIGKILL)
            after = opened.embed(texts)
            assert np.sum(before * after, axis=1).min() > SHARED_SCALE_COSINE_MIN
            lost = opened.info.shortfall
            assert lost is not None
            assert lost.reason == "unreachable"
            assert (opened.info.device, background.info.device) == ("CPU", "CPU")
            until(lambda: background.info.device == "NPU")
            assert opened.info.shortfall is None
            assert opened.embed(texts) == pytest.approx(before, abs=1e-5)


@pytest.mark.models
@pytest.mark.models
def test_the_worker_opens_nothing_that_was_not_measured(placed_on_npu: Candidate) -> None:
    with pytest.raises(ModelRefused):
        open_chosen(choice_of(DEFAULT_ENCODER, placed_on_npu))
