"""Commands that read lines and answer each of them, as other programs use them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

TIMEOUT_S = 60.0


async def _started(words: tuple[str, ...]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def answers(*words: str, lines: bytes, expect: int = 0) -> tuple[list[dict[str, Any]], str]:
    """To all lines at once, and what was said beside."""
    process = await _started(words)
    output, errors = await asyncio.wait_for(process.communicate(lines), TIMEOUT_S)
    assert process.returncode == expect, errors.decode()
    return [json.loads(line) for line in output.splitlines()], errors.decode()


async def answers_one_by_one(*words: str, lines: Iterable[bytes]) -> AsyncIterator[dict[str, Any]]:
    """To each line before the next is written."""
    process = await _started(words)
    assert process.stdin
    assert process.stdout
    for line in lines:
        process.stdin.write(line)
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), TIMEOUT_S))
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), TIMEOUT_S) == 0
