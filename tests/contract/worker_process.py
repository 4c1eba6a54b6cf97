"""The real worker as a process: `python worker_process.py SOCKET scripted|model [ALLOWED_UID]`. SIGTERM stops it."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

from edge.inference.worker import serve
from models.catalog import DEFAULT_LLM, models_dir
from models.generator import open_generator
from models.runtimes.port import TextGenerator
from models.runtimes.scripted import ScriptedGenerator

PAUSE_S = 0.01
WAITING_MAX = 2


def open_scripted() -> TextGenerator:
    return ScriptedGenerator(("word ",), pause_s=PAUSE_S, endless=True)


async def main(socket_path: str, kind: str, *uids: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(
        Path(socket_path),
        open_scripted if kind == "scripted" else partial(open_generator, models_dir()),
        stop,
        allowed_uids={int(uid) for uid in uids} or None,
        model_name=DEFAULT_LLM,
        waiting_max=WAITING_MAX,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
