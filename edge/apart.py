"""Work in a process of its own: its libraries, memory and work never touch a turn.

The child, beside a running node at the lowest priority, ends when it is done; the system takes its memory back. In: one
JSON line on standard input, the task. Out, on standard output: progress as JSON lines, then the result as a JSON line
and, behind it, as many bytes as that says. What customers said, and keys, never touch the disk or the command line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any, Final

from core.errors import PosternError
from core.memory import forbid_core_dumps, keep_out_of_swap
from models.progress import Report

# Politest that a process can be.
NICENESS_BESIDE_TURNS: Final = 19
# Matrices of this size gain nothing from a second thread, and threads that wait for each other at the lowest priority
# wait long: a training of 20 s took 143 s on two busy cores.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Longest line of the child: progress and figures of 250 intents are some 50 KB.
LINE_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True)
class Done:
    """What came out: plain JSON, and bytes."""

    result: Mapping[str, Any]
    content: bytes = b""


async def work_apart(
    module: str,
    task: Mapping[str, Any],
    report: Report,
    failed: type[PosternError],
    seconds_max: float,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Done:
    """Run `module` as a child on `task`. Raises `failed`, also with what the child says is wrong.

    How politely, its settings say (`niceness`). A child that takes longer than `seconds_max` hangs, and is ended.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(module, task["settings"]["niceness"]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **ONE_THREAD, **environment},
        limit=LINE_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(seconds_max):
            return await _converse(process, json.dumps(task).encode() + b"\n", report, failed)
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        raise failed("The process that did the work stopped in the midst of it.") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(module: str, niceness: int) -> list[str]:
    """Polite from its first moment: to load its libraries is a second's work."""
    # `nice` counts from where the node is, which systemd starts above all others.
    more = max(0, niceness - os.getpriority(os.PRIO_PROCESS, 0))
    return ["nice", "-n", str(more), sys.executable, "-m", module]


async def _converse(
    process: asyncio.subprocess.Process, task: bytes, report: Report, failed: type[PosternError]
) -> Done:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(task)
    await process.stdin.drain()
    process.stdin.close()
    async for raw in process.stdout:
        line = json.loads(raw)
        if "progress" in line:
            report(*line["progress"])
        elif "error" in line:
            raise failed(str(line["error"]["detail"]), remedy=str(line["error"]["remedy"]))
        else:
            return Done(line["result"], await process.stdout.readexactly(line["bytes"]))
    raise failed("The process that did the work stopped in the midst of it.")


def serve(source: IO[bytes], target: IO[bytes], work: Callable[[dict[str, Any], Report], Done]) -> None:
    """The child: read the task, which may hold keys, work, write the result."""
    forbid_core_dumps()
    keep_out_of_swap()
    task = json.loads(source.readline())
    say = _writer(target)
    try:
        done = work(task, lambda *step: say({"progress": step}))
    except PosternError as error:
        say({"error": error.problem()})
        return
    say({"result": done.result, "bytes": len(done.content)})
    target.write(done.content)
    target.flush()


def _writer(target: IO[bytes]) -> Callable[[object], None]:
    def say(line: object) -> None:
        target.write(json.dumps(line).encode() + b"\n")
        target.flush()

    return say
