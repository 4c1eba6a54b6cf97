"""Training in a process of its own: its libraries, memory and work never touch a turn.

The child opens the encoder for itself, beside a running node at the lowest priority, and ends when it is done; the
system takes its memory back. In: one JSON line of settings and examples on standard input. Out, on standard output:
progress as JSON lines, then the result's length and the model's bytes. The examples never touch the disk or the
command line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, Final, Literal

from core.errors import PosternError
from edge.chat.intents.examples import Example
from edge.chat.intents.gate import Comparison, compare, reasons_against
from edge.chat.intents.model import Floats, IntentModel, from_bytes
from models.progress import Report

# Politest that a process can be.
NICENESS_BESIDE_TURNS: Final = 19
# Matrices of this size gain nothing from a second thread, and threads that wait for each other at the lowest priority
# wait long: a training of 20 s took 143 s on two busy cores.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
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
    """Which encoder the vectors come from; `threads` 0 takes every core. `niceness`: 19 gets what turns leave over."""

    model: str
    runtime: Literal["auto", "onnxruntime", "openvino"]
    threads: int
    niceness: int = 0


@dataclass(frozen=True)
class Trained:
    """What came out: the model as bytes, its figures as JSON, and what the gate says against it."""

    content: bytes
    figures: dict[str, Any]
    reasons: tuple[str, ...]


async def train_apart(
    settings: TrainingSettings, examples: Sequence[Example], active: bytes | None, report: Report
) -> Trained:
    """Train in a child process; `active` is the model to be compared with. Raises TrainingFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.chat.intents.trainer",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
        limit=LINE_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(TRAINING_TIMEOUT_S):
            return await _converse(process, _task(settings, examples, active), report)
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        raise TrainingFailed("The training process stopped without a model.") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _task(settings: TrainingSettings, examples: Sequence[Example], active: bytes | None) -> bytes:
    """The line that the child reads."""
    task = {
        "settings": asdict(settings),
        "examples": [[example.text, example.intent] for example in examples],
        "active": base64.b64encode(active).decode() if active else None,
    }
    return json.dumps(task).encode() + b"\n"


async def _converse(process: asyncio.subprocess.Process, task: bytes, report: Report) -> Trained:
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
            raise TrainingFailed(str(line["error"]["detail"]), remedy=str(line["error"]["remedy"]))
        else:
            content = await process.stdout.readexactly(line["bytes"])
            return Trained(content, line["figures"], tuple(line["reasons"]))
    raise TrainingFailed("The training process stopped without a model.")


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """The child: read the task, train, write the result."""
    task = json.loads(source.readline())
    os.nice(task["settings"]["niceness"])
    say = _writer(target)
    try:
        trained = _train(task, lambda *step: say({"progress": step}))
    except PosternError as error:
        say({"error": error.problem()})
        return
    say({"bytes": len(trained.content), "figures": trained.figures, "reasons": trained.reasons})
    target.write(trained.content)
    target.flush()


def _writer(target: IO[bytes]) -> Callable[[object], None]:
    def say(line: object) -> None:
        target.write(json.dumps(line).encode() + b"\n")
        target.flush()

    return say


def _train(task: dict[str, Any], report: Report) -> Trained:
    """The libraries of training are imported only here."""
    from edge.chat.intents.training import embed, train
    from models.catalog import models_dir
    from models.encoder import open_encoder

    settings = TrainingSettings(**task["settings"])
    examples = [Example(text, intent) for text, intent in task["examples"]]
    encoder = open_encoder(models_dir(), settings.runtime, settings.threads, model=settings.model)
    try:
        embeddings = embed(encoder, examples, report)
    finally:
        encoder.close()
    candidate = train(examples, embeddings, encoder.info.sha256, report)
    comparison = _compared(candidate.model, examples, embeddings, task["active"])
    reasons = tuple(reasons_against(candidate.figures, comparison))
    figures = {
        **asdict(candidate.figures),
        "before": asdict(comparison) if comparison else None,
        "reasons": reasons,
    }
    return Trained(candidate.model.to_bytes(), figures, reasons)


def _compared(
    model: IntentModel, examples: Sequence[Example], embeddings: Floats, active: str | None
) -> Comparison | None:
    """Against the model that serves, if there is one for the same encoder."""
    if active is None:
        return None
    old = from_bytes(base64.b64decode(active))
    if old.encoder_sha256 != model.encoder_sha256:
        return None
    return compare(model, examples, embeddings, old)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
