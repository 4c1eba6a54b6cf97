"""The detector is killed, stopped or tells nonsense in the middle of 1,000 requests; policy and store go away under it.

The detector works in a process of its own, which is really killed and stopped; the store is really full. What the guard
lets out goes over a real socket to a stand-in of the courier, which keeps every byte.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.local_socket import read_frame
from edge.chat.session import Session
from edge.egress.courier.client import CourierClient, CourierConnection
from edge.egress.text import looking
from edge.egress.text.handover import Admitted
from edge.privacy.policy import Purpose
from edge.store import text_uses
from edge.store.unwritable import StoreUnwritable
from postern.v1 import courier_pb2
from tests.chaos.process_scans import ProcessScans, find, nonsense
from tests.unit.edge.egress.text.guard_rig import NOW, POLICY, GuardRig, guard_rig

pytestmark = pytest.mark.timeout(120)

REQUESTS = 1_000
BREAKS_AT, MENDED_AT = 400, 700
AT_ONCE = 20
# Of a scan here: a healthy one takes a millisecond, a hundred on a busy machine. Less than the guard has in all.
SCAN_S_MAX = 8.0
HUNG_SCAN_S_MAX = 0.1


@dataclass
class CountingCourier:
    """Takes what the node hands over and keeps it."""

    payloads: list[bytes] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (frame := await read_frame(reader, courier_pb2.NodeFrame)) is not None:
            self.payloads.append(frame.envelope.payload)
            async with self.arrived:
                self.arrived.notify_all()
        writer.close()


@asynccontextmanager
async def courier_socket(folder: Path) -> AsyncIterator[tuple[CountingCourier, CourierConnection]]:
    courier, path = CountingCourier(), folder / "courier.sock"
    server = await asyncio.start_unix_server(courier.accept, path)
    connection = await CourierClient(path).connect()
    try:
        yield courier, connection
    finally:
        await connection.close()
        server.close()


@dataclass
class Chaos:
    """A guard whose text goes to a courier."""

    rig: GuardRig
    scans: ProcessScans
    courier: CountingCourier
    connection: CourierConnection
    sessions: list[Session]

    async def request(self, number: int) -> bool:
        """A customer asks, with a name and a telephone number; whether something went."""
        text = f"This is canary{number:04}: I am Anna Miller, when may I ring 020 7946 {number:04}?"
        found = await self.rig.ask(self.sessions[number % len(self.sessions)], text)
        if not isinstance(found, Admitted):
            return False
        assert found.envelope is not None
        await self.connection.send(1, found.envelope)
        return True

    async def requests(self, numbers: range) -> list[bool]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> bool:
            async with turns:
                return await self.request(number)

        return await asyncio.gather(*map(one, numbers))

    def went(self, numbers: range) -> list[int]:
        """Whose words reached the courier."""
        seen = b"\n".join(self.courier.payloads)
        return [number for number in numbers if b"canary%04d" % number in seen]


@asynccontextmanager
async def chaos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chaos]:
    monkeypatch.setattr(looking, "SCAN_S_MAX", SCAN_S_MAX)
    scans = ProcessScans()
    try:
        async with guard_rig(folder / "site") as rig, courier_socket(folder) as (courier, connection):
            rig.guard._looking = looking.Looking(replace(rig.instruments, scans=scans))
            free = POLICY.replace("_000\n", "_000_000_000\n")
            rig.sign(free)
            await scans.warm()
            sessions = [await rig.session() for _ in range(2 * AT_ONCE)]
            yield Chaos(rig, scans, courier, connection, sessions)
    finally:
        scans.close()


def _no_person(payloads: list[bytes]) -> bool:
    # With what stands before it: of two thousand codes, in one run of sixty one has these four digits.
    return not any(b"Miller" in payload or b"020 7946" in payload for payload in payloads)


def _breaks(fault: str, held: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    match fault:
        case "killed":
            held.scans.signal(signal.SIGKILL)
        case "hung":
            monkeypatch.setattr(looking, "SCAN_S_MAX", HUNG_SCAN_S_MAX)
            held.scans.signal(signal.SIGSTOP)
        case "nonsense":
            held.scans.find = nonsense


async def _mends(fault: str, held: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SCAN_S_MAX", SCAN_S_MAX)
    held.scans.find = find
    if fault != "nonsense":
        held.scans.replace()
    await held.scans.warm()


@pytest.mark.proves("policy")
@pytest.mark.parametrize("fault", ["killed", "hung", "nonsense"])
async def test_a_detector_that_breaks_in_the_middle_lets_no_text_out(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chaos(tmp_path, monkeypatch) as held:
        before, broken, after = (
            range(BREAKS_AT),
            range(BREAKS_AT, MENDED_AT),
            range(MENDED_AT, REQUESTS),
        )
        assert all(await held.requests(before))
        held.scans.asked.clear()
        under_way = asyncio.ensure_future(held.requests(broken[:AT_ONCE]))
        await held.scans.asked.wait()  # some are with the detector when it breaks
        _breaks(fault, held, monkeypatch)
        answered = await under_way
        assert not any(await held.requests(broken[AT_ONCE:]))
        await _mends(fault, held, monkeypatch)
        assert all(await held.requests(after))
        await _arrived(held, len(before) + sum(answered) + len(after))
        assert held.went(before) == list(before)
        assert held.went(broken) == [broken[at] for at, went in enumerate(answered) if went]
        assert not held.went(broken[AT_ONCE:])
        assert held.went(after) == list(after)
        assert _no_person(held.courier.payloads)


async def _fill_store(held: Chaos) -> None:
    """No page more: the store is full, as on a full disk."""

    def no_more(db: Any) -> None:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")

    await held.rig.store.write(no_more)
    with suppress(StoreUnwritable):
        while True:
            await held.rig.store.write(
                lambda db: text_uses.add(db, "ticket", "nobody's", "public", 0, time.time_ns() // 1_000_000)
            )


FAULTS: dict[str, Callable[[Chaos], object]] = {
    "policy_gone": lambda held: held.rig.paths.policy.unlink(),
    "policy_unsigned": lambda held: held.rig.paths.policy.write_text(POLICY),
    "policy_garbled": lambda held: held.rig.paths.policy.write_bytes(os.urandom(500)),
    "policy_expired": lambda held: held.rig.clock.__setitem__(0, NOW + timedelta(days=400)),
    "key_gone": lambda held: held.rig.paths.policy_public_key.unlink(),
    "store_full": _fill_store,
}


@pytest.mark.proves("policy")
@pytest.mark.parametrize("fault", FAULTS)
async def test_without_policy_or_store_no_text_gets_out(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chaos(tmp_path, monkeypatch) as held:
        sessions = held.sessions
        text = "When is the office open on Saturday? I am asked by Tom Baker about canary{:04}."
        for number, session in enumerate(sessions[:20]):
            found = await held.rig.ask(session, text.format(number))
            assert isinstance(found, Admitted)
            assert found.envelope is not None
            await held.connection.send(1, found.envelope)
        broken = FAULTS[fault](held)
        if asyncio.iscoroutine(broken):
            await broken
        for number, session in enumerate(sessions[20:], start=20):
            for purpose in (Purpose.OVERFLOW, Purpose.LAN_LLM):
                assert not isinstance(
                    await held.rig.ask(session, text.format(number), purpose=purpose), Admitted
                )
        await _arrived(held, 20)
        assert held.went(range(40)) == list(range(20))
        assert not any(b"Baker" in payload for payload in held.courier.payloads)


async def _arrived(held: Chaos, count: int) -> None:
    """Everything that was sent is with the courier."""
    async with held.courier.arrived:
        await held.courier.arrived.wait_for(lambda: len(held.courier.payloads) >= count)
    assert len(held.courier.payloads) == count
