"""The processes of a node, each as one call: what `postern node`, `worker`, `courier` and `run` do.

`run` starts the others as `python -m edge.processes NAME SITE`: the same calls, without loading the command line's
libraries three more times, since a technician waits for the first answer. Each process imports only what is its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.logs import log_to_stderr
from core.memory import SWAP_REMEDY, Swap, forbid_core_dumps, keep_out_of_swap

M_ARENA_MAX: Final = -8
"""Of malloc.h."""

HEAPS_MAX: Final = 2

LOCK_HELD_S_MAX: Final = 0.001
"""A lane that comes back from the encoder waits so long for the interpreter's lock while the event loop is busy, at
each of a batch's calls. With Python's 5 ms an overloaded node answers a sixth fewer (slices of 0.5 s in turn)."""

SLOTS_LOOK_S: Final = 0.5
"""Between looks at which software is to run."""

if TYPE_CHECKING:
    from core.supervision import Supervisor
    from edge.inference.encoders import EncoderChoice
    from edge.slots import Slots
    from models.runtimes.port import Runtime


def run_node(site: Path) -> None:
    """Serve customers until told to stop."""
    _begin("node")
    _few_heaps()
    from edge.config import load_config, site_paths
    from edge.inference.opening import start_opening
    from edge.updates.model_slots import count_start
    from models.catalog import models_dir

    paths = site_paths(site)
    count_start(paths, models_dir())
    opening = start_opening(load_config(paths), paths.worker_socket)
    import uvloop

    from edge.app import run_node

    sys.setswitchinterval(LOCK_HELD_S_MAX)
    uvloop.run(run_node(paths, opening))


def _begin(process: str) -> None:
    """What all of them do first."""
    forbid_core_dumps()
    log_to_stderr(process)
    if keep_out_of_swap() is Swap.POSSIBLE:
        logging.getLogger("edge").warning("memory can be swapped to disk", extra={"remedy": SWAP_REMEDY})


def _few_heaps() -> None:
    """Let threads share their heaps: each of its own keeps what its largest batch took, for good (mallopt(3)).

    With as many as glibc likes (eight a core) a node with 16,000 documents takes a tenth more memory.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS_MAX)


def run_worker(site: Path) -> None:
    """Run models for the node until told to stop: the language model, loaded when first needed, and accelerators."""
    _begin("worker")
    from edge.inference.scheduler import LANE_NICENESS

    os.nice(LANE_NICENESS)  # what a model writes never keeps an answer from the documents waiting
    from core.files import private_folder
    from core.local_socket import allowed_uids
    from core.supervision import stop_on_signals
    from edge.config import load_config, site_paths
    from edge.inference.worker import serve
    from models.catalog import models_dir
    from models.generator import open_generator

    paths = site_paths(site)
    config = load_config(paths)
    private_folder(paths.run)

    async def serve_until_stopped() -> None:
        await serve(
            paths.worker_socket,
            partial(open_generator, models_dir(), config.models.llm),
            stop_on_signals(),
            open_encoder=_open_encoder,
            open_named=partial(open_generator, models_dir()),
            allowed_uids=allowed_uids(paths.root),
            model_name=config.models.llm,
            preload=config.answer.mode == "generative" and bool(config.models.llm),
        )

    asyncio.run(serve_until_stopped())


def _open_encoder(choice: EncoderChoice) -> Runtime:
    from edge.inference.opening import open_chosen  # loads the libraries of encoders: most workers need none

    return open_chosen(choice)


def run_courier(site: Path) -> None:
    """Carry what may leave until told to stop."""
    _begin("courier")
    import uvloop

    from core.supervision import stop_on_signals
    from edge.egress.courier import proxy
    from edge.egress.courier.courier import serve
    from edge.paths import site_paths

    proxy.forget_variables()
    way = proxy.configured(site_paths(site))

    async def serve_until_stopped() -> None:
        async with proxy.going_through(way):
            await serve(site_paths(site), stop_on_signals())

    uvloop.run(serve_until_stopped())


PROCESSES: dict[str, Callable[[Path], None]] = {
    "node": run_node,
    "worker": run_worker,
    "courier": run_courier,
}


def run_all(site: Path) -> None:
    """Supervise the three until told to stop."""
    _begin("run")
    asyncio.run(_supervise(site))


async def _supervise(site: Path) -> None:
    """The first line on standard output is the node's ready event; it is printed once.

    The node starts first and alone: nobody waits for the other two, and on two cores they would hold it up.
    """
    from core.supervision import Child, Supervisor, stop_on_signals
    from edge.paths import site_paths
    from edge.slots import Slots, settled, started

    ready, slots, stop = asyncio.Event(), Slots(site_paths(site).slots), stop_on_signals()
    began_s = time.monotonic()

    def on_line(line: str) -> None:
        if not _is_ready(line):
            return
        slots.point(settled(slots.pointer()))
        if not ready.is_set():
            ready.set()
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def begins() -> dict[str, str]:
        nonlocal began_s
        began_s = time.monotonic()
        return slots.environment(slots.point(started(slots.pointer())))

    def follows() -> dict[str, str]:
        return slots.environment(slots.pointer())

    def on_trial() -> bool:
        return slots.pointer().trial

    child = partial(Child, on_trial=on_trial)
    children = [
        child("node", _command("node", site), on_line, environment=begins),
        child("worker", _command("worker", site), after=ready, gives_signs=True, environment=follows),
        child("courier", _command("courier", site), after=ready, environment=follows),
    ]
    supervisor = Supervisor(children, stop)
    watching = asyncio.create_task(
        _follow(slots, supervisor, lambda: time.monotonic() - began_s), name="slots"
    )
    try:
        await supervisor.run()
    finally:
        watching.cancel()


async def _follow(slots: Slots, supervisor: Supervisor, since_start_s: Callable[[], float]) -> None:
    """Start everything again when another slot is pointed to, or the one on trial hangs while it starts."""
    from edge.slots import given_up

    active = slots.pointer().active
    while True:
        await asyncio.sleep(SLOTS_LOOK_S)
        if (now := slots.point(given_up(slots.pointer(), since_start_s())).active) != active:
            logging.getLogger("edge").warning("other software begins", extra={"slot": now or "installed"})
            active = now
            supervisor.restart()


def _command(process: str, site: Path) -> list[str]:
    return [sys.executable, "-m", "edge.processes", process, str(site)]


def _is_ready(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and event.get("event") == "ready"


if __name__ == "__main__":
    from core.errors import PosternError

    try:
        PROCESSES[sys.argv[1]](Path(sys.argv[2]))
    except PosternError as error:
        sys.stderr.write(f"{error.title}\n{error.detail}\n{error.remedy}\n")
        sys.exit(int(error.exit_code))
