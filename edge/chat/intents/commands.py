"""`postern intents …` as functions: the site's intents in, JSON shapes of the contract out.

The command line calls these when it holds the store's lock; the node's admin socket and the console call the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import ExitCode, PosternError
from edge.chat.intents.examples import FILE_BYTES_MAX, BadExamples, Example, read_examples
from edge.chat.intents.model import Floats, Intent
from edge.chat.intents.service import Intents, Outcome
from models.progress import Report

CONFIDENCE_DIGITS = 4
# Texts of one call: a few milliseconds of the encoder, so that a turn that comes in between hardly waits.
PREDICT_ROWS_MAX = 64


class TooManyTexts(PosternError):
    """One call predicts at most PREDICT_ROWS_MAX texts."""

    code = "too_many_texts"
    title = "Too many texts at once"
    remedy = f"Send at most {PREDICT_ROWS_MAX} texts a call."
    status = 413
    exit_code = ExitCode.USAGE


async def train(intents: Intents, path: Path, *, accept: bool, report: Report) -> dict[str, Any]:
    """Train from a CSV file. Raises BadExamples and what `Intents.train` raises."""
    began = time.monotonic()
    examples = await asyncio.to_thread(_read, path)
    outcome = await intents.train(examples, accept=accept, report=report)
    return {**_outcome(outcome), "seconds": round(time.monotonic() - began, 2)}


async def predict(
    intents: Intents, embed: Callable[[Sequence[str]], Floats], texts: Sequence[str]
) -> list[dict[str, Any]]:
    """One intent a text, in order. Raises NoIntents, TooManyTexts."""
    if len(texts) > PREDICT_ROWS_MAX:
        raise TooManyTexts
    found = await asyncio.to_thread(lambda: intents.predict(texts, embed(texts)))
    return [as_json(intent) for intent in found]


def as_json(intent: Intent) -> dict[str, Any]:
    """A line of `postern intents predict`."""
    return {
        "intent": intent.name,
        "confidence": round(intent.confidence, CONFIDENCE_DIGITS),
        "in_scope": intent.in_scope,
    }


async def listing(intents: Intents) -> list[dict[str, Any]]:
    """All versions, newest first, with the figures that the gate saw."""
    return [
        {
            "version": model.version,
            "state": model.state.value,
            "created_ms": model.created_ms,
            "activated_ms": model.activated_ms,
            **_summary(model.figures),
        }
        for model in await intents.history()
    ]


async def activate(intents: Intents, version: int, *, accept: bool) -> dict[str, Any]:
    """Let a version serve. Raises as `Intents.activate`."""
    await intents.activate(version, accept=accept)
    return {"active": version}


async def roll_back(intents: Intents) -> dict[str, Any]:
    """Let the version before serve again. Raises as `Intents.roll_back`."""
    return {"active": await intents.roll_back()}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "version": outcome.version,
        "active": outcome.active,
        **_summary(outcome.figures),
        "before": outcome.figures["before"],
        "per_intent": outcome.figures["intents"],
    }


def _summary(figures: Any) -> dict[str, Any]:
    return {
        "examples": figures["examples"],
        "intents": len(figures["intents"]),
        "accuracy": figures["accuracy"],
        "in_scope_recall": figures["in_scope_recall"],
        "reasons": list(figures["reasons"]),
    }


def _read(path: Path) -> list[Example]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadExamples(f"The file has over {FILE_BYTES_MAX:,} bytes.")
        return read_examples(path.read_bytes())
    except OSError as error:
        raise BadExamples(
            f"The file cannot be read ({error.strerror}).", remedy="Check its path and rights."
        ) from None
