"""The admin socket: the command line acts on a running node through it.

HTTP over a Unix socket in the site's `run` folder; only the node's own user (or root) may speak. An operation's
progress and its result come back as JSON lines, so that long work shows that it lives.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
from aiohttp import web

from core.errors import ExitCode, NotReachable, PosternError
from core.local_socket import peer
from core.local_user import terminal_user
from edge.web.problems import Handler, problems

JSON_LINES = "application/x-ndjson"
CONNECT_TIMEOUT_S = 2.0
# The largest result: an export of a person's 50,000 questions and answers.
ANSWER_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True)
class Progress:
    """How far an operation is."""

    done: int
    total: int
    what: str


OnProgress = Callable[[Progress], None]
Arguments = Mapping[str, object]
Operation = Callable[[Arguments, OnProgress], Awaitable[object]]


class Forbidden(PosternError):
    """Another user at the admin socket."""

    code = "forbidden"
    title = "Only the node's own user may use the admin socket"
    remedy = "Run the command as the user that runs the node, or as root."
    status = 403
    exit_code = ExitCode.REFUSED


class UnknownOperation(PosternError):
    """The command line asks for something that this node's release does not know."""

    code = "unknown_operation"
    title = "The running node does not know this command"
    remedy = "Restart the node: it runs another release than the command line."
    status = 404


class RemoteFailure(PosternError):
    """An error of the running node, as it told it."""

    def __init__(self, problem: Mapping[str, object]) -> None:
        super().__init__(str(problem.get("detail", "")), remedy=str(problem.get("remedy", "")))
        self.code = str(problem.get("code", self.code))
        self.title = str(problem.get("title", self.title))
        self.exit_code = ExitCode(int(str(problem.get("exit_code", int(ExitCode.FAILED)))))


class WrittenDown(Protocol):
    """What writes the rows of audit of operations."""

    def by(self, actor: str, name: str, operation: Operation) -> Operation:
        """`operation`, called `name`, as `actor` runs it."""
        ...

    async def forbidden(self, actor: str) -> None:
        """Another user than the node's tried the socket."""
        ...


def admin_application(operations: Mapping[str, Operation], audited: WrittenDown) -> web.Application:
    """The application behind the socket."""

    async def operate(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        operation = operations.get(name)
        if operation is None:
            raise UnknownOperation
        operation = audited.by(terminal_user(*_caller(request)), name, operation)
        arguments = await request.json()
        response = web.StreamResponse(headers={"Content-Type": JSON_LINES})
        await response.prepare(request)
        async for line in _run(operation, arguments):
            # Somebody's export takes a while. orjson is seven times as fast: while it runs, no thread does.
            await response.write(await asyncio.to_thread(_as_bytes, line))
        await response.write_eof()
        return response

    @web.middleware
    async def same_user(request: web.Request, handler: Handler) -> web.StreamResponse:
        pid, uid = _caller(request)
        if uid not in {os.getuid(), 0}:
            await audited.forbidden(terminal_user(pid, uid))
            raise Forbidden
        return await handler(request)

    application = web.Application(middlewares=[problems, same_user])
    application.router.add_post("/operations/{name}", operate)
    return application


async def answers(socket_path: Path) -> bool:
    """Whether a node listens there."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_unix_connection(socket_path)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


async def call(socket_path: Path, name: str, arguments: Arguments, on_progress: OnProgress) -> object:
    """Run an operation on the running node. Raises NotReachable when none runs, RemoteFailure as the node says."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
    connector = aiohttp.UnixConnector(str(socket_path))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
            client.post(f"http://node/operations/{name}", json=dict(arguments)) as response,
        ):
            if response.status != 200:
                raise RemoteFailure(await response.json(content_type=None))
            async for line in _lines(response.content):
                if "error" in line:
                    raise RemoteFailure(line["error"])
                if "result" in line:
                    return line["result"]
                on_progress(Progress(**line["progress"]))
    except (aiohttp.ClientConnectionError, FileNotFoundError) as error:
        raise NotReachable("The node does not answer on its admin socket.") from error
    except aiohttp.ClientPayloadError:
        pass  # cut off in the middle: killed
    raise NotReachable("The node stopped before the work was done.", remedy="Run the command again.")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """JSON lines of any length: a result can be all that is stored of a person. Raises NotReachable past the limit."""
    held = bytearray()
    async for some in content.iter_any():
        held += some
        if len(held) > ANSWER_BYTES_MAX:
            raise NotReachable("The node's answer is too long.")
        *whole, rest = held.split(b"\n") if b"\n" in some else [held]
        for line in whole:
            yield json.loads(line)
        held = rest


async def _run(operation: Operation, arguments: Arguments) -> AsyncIterator[dict[str, object]]:
    """Progress lines while the operation runs, then its result or its error."""
    lines: asyncio.Queue[dict[str, object] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def report(progress: Progress) -> None:
        line: dict[str, object] = {"progress": vars(progress)}
        loop.call_soon_threadsafe(lines.put_nowait, line)

    task = asyncio.ensure_future(operation(arguments, report))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    while (line := await lines.get()) is not None:
        yield line
    try:
        yield {"result": await task}
    except PosternError as error:
        yield {"error": {**error.problem(), "exit_code": int(error.exit_code)}}


def _as_bytes(line: Mapping[str, object]) -> bytes:
    return orjson.dumps(
        line, default=list, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )  # a named tuple is a list


def _caller(request: web.Request) -> tuple[int, int]:
    """Process and user at the other end. Raises Forbidden when there is no other end any more."""
    if request.transport is None:
        raise Forbidden
    return peer(request.transport)
