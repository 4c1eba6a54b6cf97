"""While the detector is killed or mad, the policy gone or the store full, not one byte of a text goes to the courier.

The node's own overflow, over a real socket to a stand-in of the courier that keeps every byte and answers each order.
The detector works in a process of its own, which is really killed; the store is really full.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.local_socket import read_frame, write_frame
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.overflow.client import OverflowClient
from edge.egress.overflow.overflow import Overflow
from edge.egress.text.handover import TextRefused
from edge.inference.conversation import Message, Piece
from postern.v1 import courier_pb2, overflow_pb2
from tests.chaos.test_text_guard import FAULTS, Chaos, chaos

pytestmark = pytest.mark.timeout(120)

ASKED = 12
AT_ONCE = 4
PASSAGE = "The office is open on Saturday from nine."
LOST_S_MAX = 30.0


@dataclass
class AnsweringCourier:
    """Takes orders, keeps what they hold, and answers each with the mark that stands in it for a name."""

    heard: list[bytes] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state = courier_pb2.OverflowState(ready=True)
        write_frame(writer, courier_pb2.CourierFrame(overflow_state=state))
        while (frame := await read_frame(reader, courier_pb2.NodeFrame)) is not None:
            if frame.WhichOneof("frame") == "overflow_order":
                self.heard.append(frame.overflow_order.envelope.payload)
                self._answer(writer, frame.overflow_order)
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, order: courier_pb2.OverflowOrder) -> None:
        text = order.envelope.payload.decode(errors="ignore")
        mark = text[text.index("[PERSON_") : text.index("]", text.index("[PERSON_")) + 1]
        end = overflow_pb2.OverflowEnd(finish=overflow_pb2.OVERFLOW_FINISH_STOP)
        for response in (
            overflow_pb2.GenerateResponse(delta=overflow_pb2.OverflowDelta(text=f"Yes, {mark}.")),
            overflow_pb2.GenerateResponse(end=end),
        ):
            event = courier_pb2.OverflowEvent(number=order.number, payload=response.SerializeToString())
            write_frame(writer, courier_pb2.CourierFrame(overflow_event=event))


@asynccontextmanager
async def overflowing(held: Chaos, folder: Path) -> AsyncIterator[tuple[AnsweringCourier, Overflow]]:
    courier, path = AnsweringCourier(), folder / "overflow.sock"
    server = await asyncio.start_unix_server(courier.accept, path)
    client = OverflowClient(path)
    running = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(LOST_S_MAX):
            while not client.ready:
                await asyncio.sleep(0.01)
        yield courier, Overflow(client, held.rig.guard.admit, OverflowAlert(held.rig.store), LOST_S_MAX)
    finally:
        running.cancel()
        server.close()


async def ask(held: Chaos, overflow: Overflow, number: int) -> bool:
    """A customer asks; whether there was an answer. What is refused is refused by the guard."""
    said = f"This is canary{number:04}: I am Anna Miller, is the office open on Saturday?"
    messages = [Message("user", (Piece(PASSAGE, published=True), Piece(said)))]
    about = held.sessions[number % len(held.sessions)].id
    found = ""
    try:
        async with aclosing(
            overflow.generate(messages, max_new_tokens=32, deadline_s=LOST_S_MAX, about=about)
        ) as pieces:
            async for piece in pieces:
                found += str(piece)
    except TextRefused:
        return False
    assert found == "Yes, Anna Miller."
    return True


async def asked(held: Chaos, overflow: Overflow, first: int) -> list[bool]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> bool:
        async with turns:
            return await ask(held, overflow, number)

    return await asyncio.gather(*(one(first + place) for place in range(ASKED)))


@pytest.mark.proves("policy", "pseudonyms")
async def test_nothing_is_sent_while_any_part_of_the_guard_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chaos(tmp_path, monkeypatch) as held, overflowing(held, tmp_path) as (courier, overflow):
        policy, find = held.rig.paths.policy.read_bytes(), held.scans.find
        assert all(await asked(held, overflow, 0))
        assert len(courier.heard) == ASKED

        held.scans.signal(signal.SIGKILL)
        assert not any(await asked(held, overflow, 100))
        held.scans.replace()
        await held.scans.warm()
        assert all(await asked(held, overflow, 200))

        held.scans.find = _nothing_believable
        assert not any(await asked(held, overflow, 300))
        held.scans.find = find

        for fault in ("policy_gone", "policy_unsigned", "policy_garbled"):
            FAULTS[fault](held)
            assert not any(await asked(held, overflow, 400))
            held.rig.paths.policy.write_bytes(policy)
        assert all(await asked(held, overflow, 500))

        full = FAULTS["store_full"](held)
        assert asyncio.iscoroutine(full)
        await full
        assert not any(await asked(held, overflow, 600))

        assert len(courier.heard) == 3 * ASKED
        heard = b"\n".join(courier.heard)
        assert b"Miller" not in heard
        assert not [number for number in (1, 3, 4, 6) if b"canary%02d" % number in heard]


def _nothing_believable(texts: list[str]) -> list[object]:
    """In the detector's process, gone mad."""
    return [None, "public", 7, *texts][: len(texts)]
