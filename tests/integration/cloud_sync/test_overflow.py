"""Answers for nodes over real mutual TLS: streamed, scanned once more, counted, and ended when the plane stops."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloud_sync import overflow_services
from cloud_sync.config import CloudPaths
from models.runtimes.scripted import ScriptedGenerator
from postern.v1.overflow_pb2 import OVERFLOW_FINISH_STOP, OverflowEnd
from tests.faulty_provider import FaultyProvider, faulty_provider
from tests.integration.cloud_sync.conftest import Running, running
from tests.overflow_rig import ScriptedDetector, asking, events, provide, request


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


async def test_an_answer_streams_and_says_who_wrote_it(plane: Running) -> None:
    node = await plane.enrolled()
    async with asking(node) as stub:
        *text, end = await events(stub, request(published="The lift is left."))
    assert "".join(map(str, text)) == "The lift is to the left."
    assert isinstance(end, OverflowEnd)
    assert (end.finish, end.provider) == (OVERFLOW_FINISH_STOP, "server")
    assert end.new_tokens == 7
