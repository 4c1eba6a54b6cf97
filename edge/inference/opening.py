"""Opening encoders: the node's beside other work, since most of it is native code, and what the worker is asked for.

What is placed on an accelerator runs in the worker's process; the processor in the node stands in for it.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config import Config
from models.catalog import encoder_entry, models_dir
from models.encoder import Encoder, open_encoder, open_measured
from models.errors import ModelRefused
from models.placement import Candidate, Shortfall, current
from models.records import check_gate
from models.runtimes.port import Runtime
from models.servable import Setback, first_servable

if TYPE_CHECKING:
    from edge.inference.encoders import EncoderChoice

log = logging.getLogger(__name__)


def start_opening(config: Config, worker_socket: Path, model: str = "") -> Future[Encoder]:
    """Begin to open the site's encoder, or `model`, in a thread. The future raises what `open_encoder` raises."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="open-encoder")
    settings = config.models
    opening = threads.submit(
        open_encoder,
        models_dir(),
        settings.runtime,
        settings.encoder_threads,
        device=settings.device,
        model=model or settings.encoder,
        accelerated=partial(over_worker, worker_socket),
    )
    threads.shutdown(wait=False)
    return opening


def over_worker(worker_socket: Path, model: str, candidate: Candidate, processor: Runtime) -> Runtime:
    """The model on the candidate's device in the worker's process, and on `processor` whenever that is lost."""
    # Only here: nodes without an accelerator start without these.
    from edge.inference.accelerator import AcceleratorRuntime
    from edge.inference.failover import FailoverRuntime, Placement

    open_there = partial(AcceleratorRuntime, worker_socket, choice_of(model, candidate))
    placements = [Placement(candidate.device, open_there), Placement(processor.device, lambda: processor)]
    return FailoverRuntime(placements, on_change=say)


def choice_of(model: str, candidate: Candidate) -> EncoderChoice:
    """What the worker is asked to open."""
    from edge.inference.encoders import EncoderChoice

    return EncoderChoice(
        model, candidate.runtime, candidate.device, candidate.precision, candidate.threads, candidate.shapes
    )


def open_chosen(choice: EncoderChoice) -> Runtime:
    """For the worker: what it is asked to open, if it was measured here and passed. Raises ModelError."""
    return first_servable(models_dir(), choice.model, partial(_open_in, choice))


def _open_in(choice: EncoderChoice, folder: Path, _: Setback | None) -> Runtime:
    entry = encoder_entry(choice.model, version=folder)
    gate = check_gate(folder, entry)
    placement, stale = current(folder, gate.files)
    measured = placement.measured if placement and not stale else ()
    passed = (row.candidate for row in measured if row.passed)
    candidate = next((each for each in passed if choice_of(entry.name, each) == choice), None)
    if candidate is None:
        reason = stale or "it was not measured, or did not pass"
        raise ModelRefused(f"{entry.name} may not run on {choice.device}: {reason}.")
    return open_measured(folder, entry, candidate)


def say(lost: Shortfall | None) -> None:
    """The log's part of telling that the encoder does not run where it was asked to, or does again."""
    if lost is None:
        log.info("encoder runs where it was asked to")
        return
    log.warning(
        "encoder runs elsewhere than asked",
        extra={"reason": lost.reason, "wanted": lost.wanted, "detail": str(lost), "remedy": lost.remedy},
    )
