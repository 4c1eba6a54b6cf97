"""Customers of a node, in a process of their own: `python -m tests.bench.turn_load`.

A line of JSON in is a plan, a line out what became of it. Open loop: a question is sent when its time came, whatever
became of those before it, and times are counted from then, so that neither a slow node nor a slow sender hides.
Every customer has a session and a connection of their own. HTTP is spoken by hand, which costs a tenth of what a client
library does: on two cores the sender's own work would else be measured. Nothing of the product is imported.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, astuple, dataclass, field
from itertools import cycle
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvloop

from tests.bench.harness import BenchRefused

# Past every deadline of a node by default (20 s for words of a model): no end after so long is none.
LOST_S: Final = 30.0
# Sessions that are opened at once: many at a time would be a load of their own.
OPENING: Final = 8
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)
_RETRY = re.compile(rb"\r\nretry-after: (\d+)", re.I)
_RETRY_OF_CARD = re.compile(rb'"retry_after_s":\d')
_FIRST = re.compile(rb"event: (?:delta|final|error)")
_EVENT = re.compile(rb"event: (final|error)\ndata: (.*)\n\n")


@dataclass(frozen=True)
class Turn:
    """What became of one question. Times: seconds since the plan began; None where nothing came.

    `end`: a route of the contract, `refused` (a problem before any answer), `error` (one after), or `lost`. `full`: a
    card in the place of an answer, because the desk was full.
    """

    number: int
    due_s: float
    sent_s: float
    first_s: float | None
    end_s: float | None
    end: str
    code: str = ""
    retry_after: bool = False
    full: bool = False

    @property
    def answered(self) -> bool:
        """Whether it was answered from documents or in a model's words: a hand-off or a card is no answer."""
        return self.end in ("answer", "generate", "overflow") and not self.full


@dataclass(frozen=True)
class Plan:
    """Questions at their times, or (`closed`) as fast as `customers` get answers: for `seconds`, or (0) each once.

    `fresh`: a session for every question, else a customer asks again and again. Those of questions at their times are
    opened before the start.
    """

    url: str
    texts: list[str]
    due_s: list[float]
    customers: int
    overflow: bool = False
    fresh: bool = False
    closed: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Of a plan. `cores`: what the sender itself took of the machine; `starved`: questions without a free customer."""

    turns: list[Turn]
    seconds: float
    cores: float
    starved: int


class TurnLoad:
    """The generator seen from a bench."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bench.turn_load"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, plan: Plan) -> Outcome:
        """Carry it out. Raises BenchRefused when the generator ended."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(asdict(plan)) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise BenchRefused("The load generator ended; see above.")
        said = json.loads(line)
        turns = [Turn(*row) for row in said.pop("turns")]
        return Outcome(turns, **said)

    def close(self) -> None:
        """End it."""
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait(timeout=LOST_S)


@dataclass
class _Answer:
    """One response while it comes."""

    done: asyncio.Future[None]
    raw: bytearray = field(default_factory=bytearray)
    head: bytes = b""
    length: int | None = None
    first_at: float | None = None

    @property
    def status(self) -> int:
        return int(self.head[9:12])

    def feed(self, data: bytes) -> None:
        """More bytes; `done` at the last."""
        self.raw += data
        if not self.head:
            head, end, rest = bytes(self.raw).partition(b"\r\n\r\n")
            if not end:
                return
            self.head, self.raw = head, bytearray(rest)
            if found := _LENGTH.search(head):
                self.length = int(found[1])
            elif self.status == 204:
                self.length = 0
        if self.first_at is None and _FIRST.search(self.raw):
            self.first_at = time.perf_counter()
        whole = self.raw.endswith(b"0\r\n\r\n") if self.length is None else len(self.raw) >= self.length
        if whole and not self.done.done():
            self.done.set_result(None)

    def text(self) -> bytes:
        """The body, its chunks joined."""
        if self.length is not None:
            return bytes(self.raw)
        pieces, rest = [], bytes(self.raw)
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            count = int(size, 16)
            pieces.append(rest[:count])
            rest = rest[count + 2 :]
        return b"".join(pieces)


class _Connection(asyncio.Protocol):
    """A keep-alive connection with one request at a time."""

    def __init__(self) -> None:
        self.lost = False
        self._answer: _Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._answer and not self._answer.done.done():
            self._answer.done.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        if self._answer:
            self._answer.feed(data)

    async def request(self, answer: _Answer, path: str, token: str, body: object, accept: str) -> None:
        """Send, and wait for the end. Raises OSError."""
        payload = json.dumps(body).encode()
        self._answer = answer
        head = (
            f"POST {path} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        self._transport.write(head.encode() + payload)
        await answer.done

    def close(self) -> None:
        self._transport.close()


@dataclass
class _Customer:
    """Somebody with a session."""

    host: str
    port: int
    connection: _Connection | None = None
    session: str = ""
    token: str = ""

    async def arrive(self, overflow: bool) -> None:
        """Begin a conversation and accept its notice. Raises OSError, or ValueError for a refusal."""
        self.token = ""
        made = json.loads((await self._post("/api/v1/sessions", {"channel": "intranet"}, 201)).text())
        self.session, self.token = made["session_id"], made["token"]
        consent = {"notice_version": made["notice"]["version"], "overflow": overflow}
        await self._post(f"/api/v1/sessions/{self.session}/consent", consent, 204)

    async def ask(self, text: str, answer: _Answer) -> None:
        """One turn, streamed. Raises OSError."""
        path = f"/api/v1/sessions/{self.session}/turns"
        connection = await self._connected()
        await connection.request(answer, path, self.token, {"text": text}, "text/event-stream")

    async def _post(self, path: str, body: object, status: int) -> _Answer:
        answer = _Answer(asyncio.get_running_loop().create_future())
        connection = await self._connected()
        await connection.request(answer, path, self.token, body, "application/json")
        if answer.status != status:
            raise ValueError(f"{path.rpartition('/')[2]} was answered with {answer.status}")
        return answer

    async def _connected(self) -> _Connection:
        if self.connection is None or self.connection.lost:
            loop = asyncio.get_running_loop()
            _, self.connection = await loop.create_connection(_Connection, self.host, self.port)
        return self.connection

    def leave(self) -> None:
        if self.connection is not None:
            self.connection.close()


class _Run:
    """One plan being carried out."""

    def __init__(self, plan: Plan) -> None:
        address = urlsplit(plan.url)
        count = len(plan.texts) if plan.fresh and not plan.closed else plan.customers
        self._plan = plan
        self._customers = [_Customer(address.hostname or "", address.port or 0) for _ in range(count)]
        self._free = deque(self._customers)
        self._turns: list[Turn] = []
        self._starved = 0
        self._began = 0.0

    async def run(self) -> dict[str, Any]:
        """The fields of `Outcome`."""
        if not (self._plan.fresh and self._plan.closed):
            await self._arrive()
        self._began, cpu_s = time.perf_counter(), time.process_time()
        await (self._closed() if self._plan.closed else self._open())
        seconds = time.perf_counter() - self._began
        for customer in self._customers:
            customer.leave()
        turns = [astuple(turn) for turn in sorted(self._turns, key=lambda turn: turn.number)]
        cores = (time.process_time() - cpu_s) / seconds
        return {"turns": turns, "seconds": seconds, "cores": cores, "starved": self._starved}

    async def _arrive(self) -> None:
        coming = iter(self._customers)

        async def door() -> None:
            for customer in coming:
                await customer.arrive(self._plan.overflow)

        await asyncio.gather(*(door() for _ in range(OPENING)))

    async def _open(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, (due_s, text) in enumerate(zip(self._plan.due_s, self._plan.texts, strict=True)):
                if (wait_s := self._began + due_s - time.perf_counter()) > 0:
                    await asyncio.sleep(wait_s)
                if not self._free:
                    self._starved += 1
                    continue
                group.create_task(self._one(number, due_s, text, self._free.popleft()))

    async def _closed(self) -> None:
        plan = self._plan
        numbered = enumerate(cycle(plan.texts) if plan.seconds else plan.texts)
        ends = self._began + (plan.seconds or math.inf)

        async def keep_asking(customer: _Customer) -> None:
            for number, text in numbered:
                if plan.fresh:
                    await customer.arrive(plan.overflow)
                now = time.perf_counter()
                if now >= ends:
                    return
                await self._one(number, now - self._began, text, customer)

        await asyncio.gather(*(keep_asking(customer) for customer in self._customers))

    async def _one(self, number: int, due_s: float, text: str, customer: _Customer) -> None:
        answer = _Answer(asyncio.get_running_loop().create_future())
        sent_s = time.perf_counter() - self._began
        ended: float | None = None
        try:
            async with asyncio.timeout(LOST_S):
                await customer.ask(text, answer)
            ended = time.perf_counter() - self._began
            end, code, full = _read(answer)
        except (OSError, TimeoutError):
            end, code, full = "lost", "", False
            customer.leave()
        first = None if answer.first_at is None else answer.first_at - self._began
        retry = _RETRY.search(answer.head) is not None or _RETRY_OF_CARD.search(answer.raw) is not None
        self._turns.append(Turn(number, due_s, sent_s, first, ended, end, code, retry, full))
        self._free.append(customer)


def _read(answer: _Answer) -> tuple[str, str, bool]:
    """How it ended, the code of a problem, and whether it is the card of a full desk."""
    body = answer.text()
    if answer.status != 200:
        return "refused", _code(body), False
    found = _EVENT.search(body)
    if found is None:
        return "lost", "", False
    if found[1] == b"error":
        return "error", _code(found[2]), False
    final = json.loads(found[2])
    return str(final["route"]), "", (final["card"] or {}).get("kind") == "desk"


def _code(problem: bytes) -> str:
    try:
        return str(json.loads(problem)["code"])
    except (ValueError, KeyError):
        return "no_problem_document"


async def main() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        said = await _Run(Plan(**json.loads(line))).run()
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
