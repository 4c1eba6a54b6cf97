"""Training in a process of its own: its libraries, memory and work never touch a turn.

The child opens the encoder for itself, runs at the lowest priority and ends when it is done; the system takes its
memory back. In: one JSON line of settings and examples on standard input. Out, on standard output: progress as JSON
lines, then the result's length and the model's bytes. The examples never touch the disk or the command line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, Final, Literal

from core.errors import PosternError
from edge.chat.intents.examples import Example
from models.progress import Report

# Politest that a process can be: it gets what turns leave over.
NICENESS: Final = 19
# Far beyond the largest permitted file on a slow machine; past it the process hangs.
TRAINING_TIMEOUT_S: Final = 1_800.0
# Longest line of the child: progress and figures of 250 intents are some 50 KB.
LINE_BYTES_MAX: Final = 1024 * 1024


class TrainingFailed(PosternError):
    """The training process ended without a model."""

    code = "training_failed"
    title = "The training did not end well"
    remedy = "Look at the node's log; the machine may be short of memory. Then train again."


@dataclass(frozen=True)
class TrainingSettings:
    """Which encoder the vectors come from; `threads` 0 takes every core."""

    model: str
    runtime: Literal["auto", "onnxruntime", "openvino"]
    threads: int


@dataclass(frozen=True)
class Trained:
    """What came out: the model as bytes, and its figures as JSON."""

    content: bytes
    figures: dict[str, Any]


async def train_apart(settings: TrainingSettings, examples: Sequence[Example], report: Report) -> Trained:
    """Train in a child process. Raises BadExamples beforehand, TrainingFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.chat.intents.trainer",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(TRAINING_TIMEOUT_S):
            return await _converse(process, settings, examples, report)
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        raise TrainingFailed("The training process stopped without a model.") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _converse(
    process: asyncio.subprocess.Process,
    settings: TrainingSettings,
    examples: Sequence[Example],
    report: Report,
) -> Trained:
    assert process.stdin is not None
    assert process.stdout is not None
    task = {"settings": asdict(settings), "examples": [[e.text, e.intent] for e in examples]}
    process.stdin.write(json.dumps(task).encode() + b"\n")
    await process.stdin.drain()
    process.stdin.close()
    async for raw in process.stdout:
        line = json.loads(raw)
        if "progress" in line:
            report(*line["progress"])
        elif "error" in line:
            raise TrainingFailed(str(line["error"]["detail"]), remedy=str(line["error"]["remedy"]))
        else:
            return Trained(await process.stdout.readexactly(line["bytes"]), line["figures"])
    raise TrainingFailed("The training process stopped without a model.")


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """The child: read the task, train, write the result."""
    os.nice(NICENESS)
    task = json.loads(source.readline())
    examples = [Example(text, intent) for text, intent in task["examples"]]
    say = _writer(target)
    try:
        trained = _train(
            TrainingSettings(**task["settings"]), examples, lambda *step: say({"progress": step})
        )
    except PosternError as error:
        say({"error": error.problem()})
        return
    say({"bytes": len(trained.content), "figures": trained.figures})
    target.write(trained.content)
    target.flush()


def _writer(target: IO[bytes]) -> Callable[[object], None]:
    def say(line: object) -> None:
        target.write(json.dumps(line).encode() + b"\n")
        target.flush()

    return say


def _train(settings: TrainingSettings, examples: Sequence[Example], report: Report) -> Trained:
    from edge.chat.intents.training import embed, train
    from models.catalog import models_dir
    from models.encoder import open_encoder

    encoder = open_encoder(models_dir(), settings.runtime, settings.threads, model=settings.model)
    try:
        embeddings = embed(encoder, examples, report)
        sha256 = encoder.info.sha256
    finally:
        encoder.close()
    candidate = train(examples, embeddings, sha256, report)
    return Trained(candidate.model.to_bytes(), asdict(candidate.figures))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
