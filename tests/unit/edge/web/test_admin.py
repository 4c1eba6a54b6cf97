"""The admin socket: results of any length arrive, with their progress; what is cut off or too long is no result."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web

from core.errors import NotReachable
from edge.web import admin
from edge.web.admin import Arguments, OnProgress, Operation, Progress, admin_application, call


class Row(NamedTuple):
    number: int
    text: str


class Unwritten:
    """Operations without rows."""

    def by(self, actor: str, name: str, operation: Operation) -> Operation:
        return operation

    async def forbidden(self, actor: str) -> None:
        pytest.fail("it is this user's socket")


@asynccontextmanager
async def served(result: object) -> AsyncIterator[Path]:
    async def operation(arguments: Arguments, on_progress: OnProgress) -> object:
        on_progress(Progress(1, 2, "half"))
        return result

    with tempfile.TemporaryDirectory() as folder:  # short: the path of a socket is bounded
        socket = Path(folder) / "node.sock"
        runner = web.AppRunner(admin_application({"do": operation}, Unwritten()))
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        yield socket
        await runner.cleanup()


@pytest.mark.parametrize("characters", [0, 1, 65_536, 1_000_000])
async def test_results_of_any_length_arrive_with_their_progress(characters: int) -> None:
    seen: list[Progress] = []
    async with served({"text": "ä\n" * characters}) as socket:
        found = await call(socket, "do", {}, seen.append)
    assert found == {"text": "ä\n" * characters}
    assert seen == [Progress(1, 2, "half")]


@pytest.mark.parametrize("over", [False, True])
async def test_a_result_is_bounded(monkeypatch: pytest.MonkeyPatch, over: bool) -> None:
    monkeypatch.setattr(admin, "ANSWER_BYTES_MAX", 300_000)
    async with served("x" * (400_000 if over else 200_000)) as socket:
        if over:
            with pytest.raises(NotReachable):
                await call(socket, "do", {}, lambda _: None)
        else:
            assert len(str(await call(socket, "do", {}, lambda _: None))) == 200_000


async def test_a_result_is_written_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    as_bytes = admin._as_bytes

    def noted(line: Mapping[str, object]) -> bytes:
        threads.append(threading.get_ident())
        return as_bytes(line)

    monkeypatch.setattr(admin, "_as_bytes", noted)
    async with served({"rows": [Row(1, "ä")]}) as socket:
        assert await call(socket, "do", {}, lambda _: None) == {"rows": [[1, "ä"]]}
    assert threads
    assert threading.get_ident() not in threads
