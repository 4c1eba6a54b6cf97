"""A real Ray cluster of two nodes on loopback that serves a scripted model, and the program in which it lives.

The program (`build/ray-venv/bin/python -m tests.ray_nodes`) takes orders as lines of JSON on its standard input and
answers each with one; it ends with its input. The cluster's nodes, their doors and replicas are processes below it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from cloud_sync.overflow.ray_cluster import LOOPBACK, STORE_BYTES, Door, Scale, make_secret, settings
from tests.ports import free_ports

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / "build" / "ray-venv" / "bin" / "python"

MODEL: Final = "scripted"

NODE_CPUS: Final = 2
"""Of which each replica has one: three fit, and one more while an update replaces them."""

WORD_S: Final = 0.02
"""An answer of twenty words takes 0.4 s, so that two callers keep a replica busy."""

ORDER_S_MAX: Final = 120.0
STOP_S_MAX: Final = 30.0


@dataclass(frozen=True)
class RayNodes:
    """The running cluster: base addresses of both nodes' doors, and the file with the callers' key."""

    doors: tuple[str, str]
    key_file: Path
    process: asyncio.subprocess.Process

    async def order(self, do: str, **more: Any) -> Any:
        """Have the program do one of `_Cluster`'s orders."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        async with asyncio.timeout(ORDER_S_MAX):
            answer = await self.process.stdout.readline()
        return json.loads(answer)


@asynccontextmanager
async def ray_nodes(folder: Path, words: Sequence[str]) -> AsyncIterator[RayNodes]:
    """Two nodes, with one replica that says `words`. `folder`: keys and logs; its path is short, for Ray's sockets."""
    make_secret(folder / "key")
    make_secret(folder / "token")
    environment = {
        **os.environ,
        **settings(LOOPBACK),
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, "-m", "tests.ray_nodes", str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    try:
        nodes = RayNodes(("", ""), folder / "key", process)
        doors = await nodes.order("serve", words=list(words))
        yield RayNodes((doors[0], doors[1]), folder / "key", process)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        family = psutil.Process(process.pid).children(recursive=True)
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        for each in family:
            if each.is_running():
                each.kill()


class _Cluster:
    """Inside the program: the orders."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder = folder
        self._ports = free_ports(2)
        common = {"num_cpus": NODE_CPUS, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=common)
        del common["include_dashboard"]
        # On machines of their own both doors would have the same port.
        os.environ["RAY_SERVE_WORKER_PROXY_HTTP_PORT"] = str(self._ports[1])
        self._second = self._cluster.add_node(**common)
        del os.environ["RAY_SERVE_WORKER_PROXY_HTTP_PORT"]

    def serve(self, words: list[str]) -> list[str]:
        """Say these words, in the place of others; the doors' base addresses."""
        from cloud_sync.overflow.ray_serve import deploy
        from models.runtimes.scripted import ScriptedGenerator

        deploy(
            self._cluster.address,
            partial(ScriptedGenerator, words, pause_s=WORD_S),
            MODEL,
            key_sha256=hashlib.sha256((self._folder / "key").read_bytes()).hexdigest(),
            door=Door(LOOPBACK, self._ports[0], everywhere=True),
            scale=Scale(),
        )
        return [f"http://{LOOPBACK}:{port}/v1" for port in self._ports]

    def break_update(self) -> str:
        """Serve a model that does not open; the error's code."""
        from cloud_sync.overflow.ray_serve import DeploymentFailed, deploy
        from models.generator import open_generator

        try:
            deploy(
                self._cluster.address,
                partial(open_generator, self._folder / "nothing"),
                MODEL,
                key_sha256="0" * 64,
                door=Door(),
                scale=Scale(),
            )
        except DeploymentFailed as error:
            return error.code
        return ""

    def replicas(self) -> dict[str, int]:
        """How many replica processes each node has: `first` and `second`."""
        of_second = sum(map(_is_replica, self._family()))
        everywhere = sum(map(_is_replica, psutil.Process().children(recursive=True)))
        return {"first": everywhere - of_second, "second": of_second}

    def kill(self) -> int:
        """SIGKILL every process of the second node at once; how many replicas were among them."""
        family = self._family()
        replicas = sum(map(_is_replica, family))
        for each in family:
            each.kill()
        self._cluster.remove_node(self._second, allow_graceful=False)
        return replicas

    def stop(self) -> None:
        """Both nodes."""
        self._cluster.shutdown()

    def _family(self) -> list[psutil.Process]:
        roots = [
            psutil.Process(each.process.pid) for kind in self._second.all_processes.values() for each in kind
        ]
        return [*roots, *(child for root in roots for child in root.children(recursive=True))]


def _is_replica(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[:1] != [] and process.cmdline()[0].startswith("ray::ServeReplica")
    except psutil.Error:
        return False


def _program(folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints is no answer
    cluster = _Cluster(folder)
    try:
        for line in sys.stdin:
            order = json.loads(line)
            answers.write(json.dumps(getattr(cluster, order.pop("do"))(**order)) + "\n")
            answers.flush()
    finally:
        cluster.stop()


if __name__ == "__main__":
    _program(Path(sys.argv[1]))
