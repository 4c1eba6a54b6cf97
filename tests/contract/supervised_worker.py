"""The worker of `worker_process`, kept alive by the real supervisor."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.local_socket import frame, receive_frame
from core.supervision import Child, Supervisor
from edge.inference.accelerator import AcceleratorRuntime
from edge.inference.encoders import EncoderChoice
from models.catalog import DEFAULT_ENCODER
from models.runtimes.port import Runtime
from models.runtimes.scripted import Trouble
from postern.v1 import worker_pb2 as pb
from tests.contract.failing import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
DIM = 384
SCRIPTED = EncoderChoice(DEFAULT_ENCODER, "scripted", "CPU")


class Worker:
    """A worker that the supervisor keeps alive."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def met(self, trouble: Trouble) -> None:
        """What its scripted encoder meets from now on."""
        aside = self.path.with_suffix(".aside")
        aside.write_text(trouble)
        aside.rename(f"{self.path}.trouble")

    def health(self) -> pb.WorkerHealth:
        with closing(socket.socket(socket.AF_UNIX)) as line:
            line.settimeout(PATIENCE_S)
            line.connect(str(self.path))
            line.sendall(frame(pb.WorkerRequest(health_query=pb.HealthQuery(id=1))))
            return receive_frame(line, pb.WorkerResponse, time.monotonic() + PATIENCE_S).worker_health

    def listens(self, *, other_than: int = 0) -> bool:
        try:
            return self.health().pid != other_than
        except OSError:
            return False

    def open(self) -> Runtime:
        return AcceleratorRuntime(self.path, SCRIPTED, call_s_max=PATIENCE_S)


@contextmanager
def supervised(folder: Path, kind: str = "scripted") -> Iterator[Worker]:
    path = folder / "worker.sock"
    command = [sys.executable, str(Path(__file__).with_name("worker_process.py")), str(path), kind]
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def supervise() -> None:
        stop = asyncio.Event()
        started.append((asyncio.get_running_loop(), stop))
        await Supervisor([Child("worker", command, log=folder / "worker.log", gives_signs=True)], stop).run()

    thread = threading.Thread(target=asyncio.run, args=(supervise(),))
    worker = Worker(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'protos'}")
        thread.start()
        try:
            until(worker.listens)
            yield worker
        finally:
            loop, stop = started[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE_S)
