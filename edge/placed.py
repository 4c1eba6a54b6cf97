"""Part of the composition root: where the encoder runs, told to people, and measured anew when that is out of date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge import metrics
from edge.chat import heads
from edge.inference.opening import say
from models.encoder import LOWEST_PRIORITY, Encoder, ModelInfo
from models.placement import BY_HAND, Shortfall

log = logging.getLogger(__name__)

VERSION: Final = "encoder_version"
"""The component that runs weaker than asked while the version before serves."""

TUNING: Final = (sys.executable, "-m", "models", "tune")
TUNING_AFTER_S: Final = 60.0
"""Of serving: customers come first, and a node that is started again and again does not measure each time."""

TUNING_S_MAX: Final = 900.0
"""On a machine that serves customers meanwhile it takes minutes: it has the lowest priority."""


def encoder_status(info: ModelInfo) -> dict[str, object]:
    """The encoder's part of `postern status`."""
    told: dict[str, object] = {
        "model": info.model,
        "version": info.version,
        "runtime": info.runtime,
        "device": info.device,
    }
    if info.setback is not None:
        told["setback"] = info.setback.told()
    if info.plan is None:
        return told
    placed = info.plan.candidate.model_dump(include={"precision", "lanes", "threads", "shapes"})
    placement = {**placed, "measured": not info.plan.stale, "out_of_date": info.plan.stale}
    return {**told, "placement": placement, "fallback": _told(info.shortfall)}


def watch_encoder(encoder: Encoder) -> None:
    """Say in the log what it falls short of from the start, and let the metrics look at it from here on."""
    info = encoder.info
    if info.plan is not None and info.plan.shortfall is not None:
        say(info.plan.shortfall)  # what is lost later the encoder says by itself
    metrics.watch("encoder", lambda: lost.reason if (lost := encoder.info.shortfall) else "")


def say_setback(info: ModelInfo) -> None:
    """Metric and log, when the version before serves because the current one was refused."""
    if (found := info.setback) is None:
        metrics.recover(VERSION)
        return
    metrics.fall_back(VERSION, found.reason)
    log.error(
        "the version before of the encoder serves", extra={"detail": str(found), "remedy": found.remedy}
    )


def say_unfitted(info: ModelInfo) -> None:
    """Metric and log, when what Postern fitted on its own encoder does not serve beside another one."""
    if heads.fit(info.model):
        metrics.recover(heads.COMPONENT)
        return
    metrics.fall_back(heads.COMPONENT, heads.REASON)
    log.warning("answers, ranking and danger by words alone: they were fitted on another encoder")


async def keep_tuned(
    info: ModelInfo, folder: Path, command: tuple[str, ...] = TUNING, after_s: float = TUNING_AFTER_S
) -> None:
    """Measure in a process of the lowest priority if the placement is missing or out of date; else nothing.

    What comes out serves from the next start on: nothing changes under a customer.
    """
    if info.plan is None or info.plan.stale in {"", BY_HAND}:
        return
    extra = {"because": info.plan.stale}
    if not os.access(folder, os.W_OK):
        log.warning("placement is out of date; run `postern models tune`", extra=extra)
        return
    await asyncio.sleep(after_s)
    log.info("measuring where the encoder runs best, in the background", extra=extra)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST_PRIORITY)
        async with asyncio.timeout(TUNING_S_MAX):
            code = await process.wait()
        if code:
            log.warning("measuring failed; run `postern models tune` to see why", extra={"exit_code": code})
        else:
            log.info("measured; the result serves from the next start on")
    finally:
        _end(process.kill)


def _end(kill: Callable[[], None]) -> None:
    try:
        kill()
    except ProcessLookupError:
        pass  # it has ended by itself


def told_shortfall(encoder: Mapping[str, Any]) -> Shortfall | None:
    """What `encoder_status` told, read again by whoever asked the node."""
    lost = encoder.get("fallback")
    return Shortfall(**{**lost, "slowdown": lost["slowdown"] or 0.0}) if lost else None


def _told(lost: Shortfall | None) -> dict[str, object] | None:
    """`slowdown` is null where it is not known."""
    return {**asdict(lost), "slowdown": round(lost.slowdown, 2) or None} if lost else None
