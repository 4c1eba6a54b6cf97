"""Callers of `/v1/embeddings` in a closed loop, in a process of their own: `python -m tests.bench.http_load`.

A line of JSON in asks for a slice, a line out tells what was counted. The callers of a slice keep asking before the
time that counts and until it ends, so that neither the first batch nor the last is judged.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import IO, Any

from models.catalog import DEFAULT_ENCODER
from tests.bench.chat import Connection
from tests.bench.encoder_load import mixed_texts
from tests.bench.harness import BenchRefused

# More than any server here answers in a slice, and quickly made; past them each is sent again with a number before it.
TEXTS_A_SLICE = 2_000


@dataclass(frozen=True)
class Server:
    """Where a server is asked."""

    port: int
    path: str
    key: str = ""


@dataclass(frozen=True)
class Slice:
    """`callers` at once; the first `lead_s` do not count. Slices of one `seed` have the same texts."""

    callers: int
    lead_s: float
    seconds: float
    seed: int


@dataclass(frozen=True)
class Counted:
    """What a slice came to. `load_cores`: what the load itself took of the machine."""

    per_s: float
    p50_s: float
    load_cores: float


class Load:
    """The load generator seen from the bench."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bench.http_load"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def slice(self, server: Server, wanted: Slice) -> Counted:
        """Ask `server`. Raises BenchRefused when it answers with anything but vectors."""
        return Counted(*self._said([asdict(server), asdict(wanted)]))

    def vectors(self, server: Server, texts: list[str]) -> list[list[float]]:
        """What `server` makes of them, one request each."""
        return list(self._said([asdict(server), texts]))

    def close(self) -> None:
        stdin: IO[str] | None = self._child.stdin
        assert stdin
        stdin.close()
        self._child.wait(timeout=10)

    def _said(self, words: list[object]) -> Any:
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise BenchRefused("The load generator ended; see above.")
        return json.loads(line)


def slice_texts(seed: int) -> Iterator[str]:
    """Of the mix of lengths, none in two slices of different seeds."""
    texts = mixed_texts(seed, TEXTS_A_SLICE)
    return (f"{seed} {round_} {text}" for round_ in count() for text in texts)


async def connect(server: Server) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", server.port)
    return connection


async def ask(connection: Connection, server: Server, text: str) -> bytes:
    """One request. Its answer is not read here: that would cost the load more than the question."""
    body = {"model": DEFAULT_ENCODER, "input": text}
    status, answer = await connection.request("POST", server.path, server.key, body)
    if status != 200:
        raise RuntimeError(f"{server.path} answered {status}")
    return answer


async def run_slice(server: Server, wanted: Slice) -> list[float]:
    """The fields of `Counted`. Connections are new: servers close those that were silent for a while."""
    texts = slice_texts(wanted.seed)
    connections = [await connect(server) for _ in range(wanted.callers)]
    began = time.perf_counter() + wanted.lead_s
    ends = began + wanted.seconds
    took_s: list[float] = []

    async def caller(connection: Connection) -> None:
        while (asked := time.perf_counter()) < ends:
            await ask(connection, server, next(texts))
            answered = time.perf_counter()
            if began <= answered < ends:
                took_s.append(answered - asked)
        connection.close()

    began_cpu_s = time.process_time()
    await asyncio.gather(*(caller(connection) for connection in connections))
    load_cores = (time.process_time() - began_cpu_s) / (time.perf_counter() - began + wanted.lead_s)
    return [len(took_s) / wanted.seconds, statistics.median(took_s), load_cores]


async def vectors(server: Server, texts: list[str]) -> list[list[float]]:
    connection = await connect(server)
    answers = [await ask(connection, server, text) for text in texts]
    connection.close()
    return [list(json.loads(answer)["data"][0]["embedding"]) for answer in answers]


async def main() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        server, asked = json.loads(line)
        if isinstance(asked, list):
            said: object = await vectors(Server(**server), asked)
        else:
            said = await run_slice(Server(**server), Slice(**asked))
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
