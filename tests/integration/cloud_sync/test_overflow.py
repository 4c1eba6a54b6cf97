"""Answers for nodes over real mutual TLS: streamed, scanned once more, counted, and ended when the plane stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
from typer.testing import CliRunner

from cloud_sync import cli, overflow_services
from cloud_sync.config import CloudPaths
from cloud_sync.fleet.intake import PERSONAL_RECEIVED
from cloud_sync.rpc.overflow import TEXT_BYTES_MAX
from models.runtimes.scripted import ScriptedGenerator
from postern.v1.overflow_pb2 import OVERFLOW_FINISH_STOP, OverflowDenial, OverflowEnd, OverflowRestart
from postern.v1.overflow_pb2_grpc import OverflowServiceStub
from tests.faulty_provider import FaultyProvider, faulty_provider
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.test_console import Browser
from tests.overflow_rig import (
    DEADLINE_S,
    NAME,
    QUESTION,
    ScriptedDetector,
    asking,
    events,
    provide,
    request,
)
from tests.provider_faults import Fault

# Long for a loaded machine, and an error when it is reached.
WAIT_S = 30.0


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> ScriptedDetector:
    found = ScriptedDetector()
    monkeypatch.setattr(overflow_services, "open_detector", lambda region: found)
    monkeypatch.setattr(overflow_services, "open_generator", lambda *_: ScriptedGenerator())
    return found


@pytest.fixture
async def server() -> AsyncIterator[FaultyProvider]:
    async with faulty_provider() as found:
        yield found


@pytest.fixture
async def plane(
    cloud_dir: CloudPaths, detector: ScriptedDetector, server: FaultyProvider
) -> AsyncIterator[Running]:
    """With a server before an engine."""
    first = f'name = "server"\nkind = "openai"\nurl = "{server.url}"\nmodel = "m"\ncost_per_1000_tokens = 2.0'
    provide(cloud_dir, [first, 'name = "embedded"\nkind = "engine"'])
    async with running(cloud_dir) as found:
        yield found


async def test_an_answer_streams_and_a_provider_that_is_lost_is_told(
    plane: Running, server: FaultyProvider
) -> None:
    node = await plane.enrolled()
    async with asking(node) as stub:
        *text, end = await events(stub, request(published="The lift is left."))
        assert "".join(map(str, text)) == "The lift is to the left."
        assert isinstance(end, OverflowEnd)
        assert (end.finish, end.provider, end.new_tokens) == (OVERFLOW_FINISH_STOP, "server", 7)

        await server.misbehave(Fault.CUT, after=2)
        told = await events(stub, request())
    (restart,) = (at for at, event in enumerate(told) if isinstance(event, OverflowRestart))
    assert told[0] == "The"
    assert "".join(map(str, told[restart + 1 : -1])) == "All is well."
    assert isinstance(told[-1], OverflowEnd)
    assert told[-1].provider == "embedded"


async def test_what_names_somebody_is_refused_and_all_is_counted_and_shown(
    plane: Running, server: FaultyProvider
) -> None:
    node = await plane.enrolled()
    async with asking(node) as stub:
        for _ in range(2):
            (denial,) = await events(stub, request(f"I am {NAME}."))
            assert isinstance(denial, OverflowDenial)
            assert (denial.code, list(denial.types)) == ("personal", ["PERSON"])
        assert not server.bodies
        await events(stub, request())
    (alert,) = await plane.control.overview.audit_by_action(PERSONAL_RECEIVED)
    assert (alert.actor, alert.subject, alert.detail, alert.count) == (node.id, node.id, "PERSON", 2)
    await _shown_by_the_command(plane, node.id)
    await _shown_by_the_pages(plane)


async def _shown_by_the_command(plane: Running, node: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while not (await plane.control.shares.view()).nodes:
            await asyncio.sleep(0.05)
    command = ["overflow", "show", "--dir", str(plane.paths.root)]
    plain = await asyncio.to_thread(CliRunner().invoke, cli.app, command)
    told = await asyncio.to_thread(CliRunner().invoke, cli.app, [*command, "--json"])
    assert (plain.exit_code, told.exit_code) == (0, 0)
    assert "embedded" in plain.output
    view = json.loads(told.output)
    one, other = view["providers"]
    used = one["month"]  # and not today's: midnight may pass
    assert (used["answers"], used["share"], other["month"]["answers"]) == (1, 1.0, 0)
    tokens = used["prompt_tokens"] + used["new_tokens"]
    assert used["cost"] == pytest.approx(2.0 * tokens / 1000)
    assert view["nodes"][0]["node"] == node


async def _shown_by_the_pages(plane: Running) -> None:
    visitor = Browser(plane.ready.url)
    try:
        assert plane.claim_code
        assert await visitor.claim(plane.claim_code) == 303
        for path in ("overflow", "overflow/live"):
            status, page = await visitor.get(path)
            assert status == 200
            assert all(text in page for text in ("Texts that named somebody", "embedded", "Asked"))
            assert NAME not in page
        _, figures = await visitor.get("metrics")
    finally:
        await visitor.http.close()
    assert 'postern_cloud_overflow_answers_total{outcome="whole",provider="server"} 1.0' in figures
    assert 'postern_cloud_overflow_denied_total{code="personal"} 2.0' in figures


async def test_whoever_leaves_ends_its_generation_and_a_revoked_node_is_refused_within_a_second(
    plane: Running, server: FaultyProvider
) -> None:
    node = await plane.enrolled()
    async with asking(node) as stub:
        assert await refusal(stub, "x" * (TEXT_BYTES_MAX + 1)) is grpc.StatusCode.INVALID_ARGUMENT
        await server.misbehave(Fault.STALL, after=2)
        while not server.bodies:  # a loaded machine may be late before it has asked
            assert not await answered(stub, deadline_s=0.5)
        await nobody_asks(server)
        call = stub.Generate(request(), timeout=WAIT_S)
        await call.read()
        call.cancel()
        await nobody_asks(server)
        await server.mend()
        await plane.control.steering.revoke(node.id, "test")
        async with asyncio.timeout(WAIT_S):
            while await refusal(stub) is not grpc.StatusCode.PERMISSION_DENIED:
                await asyncio.sleep(0.05)


async def nobody_asks(server: FaultyProvider) -> None:
    """It has noticed of everybody that they left."""
    async with asyncio.timeout(WAIT_S):
        while server.running:
            await asyncio.sleep(0.02)


async def refusal(
    stub: OverflowServiceStub, said: str = QUESTION, deadline_s: float = DEADLINE_S
) -> grpc.StatusCode | None:
    """The status of a call that failed; None for one that did not."""
    try:
        await events(stub, request(said), deadline_s)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


async def answered(stub: OverflowServiceStub, deadline_s: float) -> bool:
    """Whether an answer came whole; at the deadline either end may be the first to give up."""
    try:
        *_, last = await events(stub, request(), deadline_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return False
        raise
    return not isinstance(last, OverflowDenial)


async def test_the_plane_stops_in_time_with_answers_that_are_written(
    plane: Running, server: FaultyProvider
) -> None:
    node = await plane.enrolled()
    await server.misbehave(Fault.STALL, after=2)
    async with asking(node) as stub:
        call = stub.Generate(request(), timeout=60)
        await call.read()
        await plane.stopped()  # within the contract's ten seconds
        with pytest.raises(grpc.aio.AioRpcError):
            await rest_of(call)


async def rest_of(call: grpc.aio.UnaryStreamCall[object, object]) -> None:
    """Read to the end. Raises AioRpcError where the call failed."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_where_it_is_not_offered_a_node_is_told_so(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with asking(node) as stub:
        (denial,) = await events(stub, request())
    assert isinstance(denial, OverflowDenial)
    assert denial.code == "not_offered"
