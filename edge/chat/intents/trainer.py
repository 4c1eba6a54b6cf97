"""Training of intents in a process of its own (`edge.chat.apart`), which opens the encoder for itself."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge.chat.apart import Done, TrainingSettings, open_processor, serve, work_apart
from edge.chat.intents.examples import Example
from edge.chat.intents.gate import Comparison, compare, reasons_against
from edge.chat.intents.model import Floats, IntentModel, from_bytes
from models.progress import Report


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
    task = {
        "settings": asdict(settings),
        "examples": [[example.text, example.intent] for example in examples],
        "active": base64.b64encode(active).decode() if active else None,
    }
    done = await work_apart("edge.chat.intents.trainer", task, report)
    return Trained(done.content, done.result["figures"], tuple(done.result["reasons"]))


def _train(task: dict[str, Any], report: Report) -> Done:
    """The libraries of training are imported only here."""
    from edge.chat.intents.training import embed, train

    settings = TrainingSettings(**task["settings"])
    examples = [Example(text, intent) for text, intent in task["examples"]]
    encoder = open_processor(settings)
    try:
        embeddings = embed(encoder, examples, report)
    finally:
        encoder.close()
    candidate = train(examples, embeddings, encoder.info.space, report)
    comparison = _compared(candidate.model, examples, embeddings, task["active"])
    reasons = tuple(reasons_against(candidate.figures, comparison))
    figures = {
        **asdict(candidate.figures),
        "before": asdict(comparison) if comparison else None,
        "reasons": reasons,
    }
    return Done({"figures": figures, "reasons": reasons}, candidate.model.to_bytes())


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
    serve(sys.stdin.buffer, sys.stdout.buffer, _train)
