"""A renewal and an enrolment at once: the courier goes on under the one that is on disk."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotReachable
from edge.config import SitePaths
from edge.egress.courier.courier import Courier, _Attached
from edge.egress.courier.replays import Replays
from edge.egress.identity import enrolment, identity
from edge.egress.identity.enrolment import EnrolmentFailed
from edge.egress.identity.identity import Enrolment, Identity
from edge.egress.ledger.log import Log
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation.confinement import COUNTED
from postern.v1 import courier_pb2 as wire
from postern.v1 import enrolment_pb2

WAIT_S = 30.0
# In which an enrolment that waits for nobody is stored; one that waits costs the test as long.
STORED_S = 0.3


class Writer:
    """The other end reads whatever comes."""

    def write(self, _: bytes) -> None:
        pass

    async def drain(self) -> None:
        pass


def someone(name: str) -> Identity:
    return Identity(Enrolment(name, "Clinic", "127.0.0.1:1", name), name.encode(), name.encode(), b"roots")


@pytest.mark.parametrize(
    "told", ["", "host", ":1", 'ho"st:443', "host:\u0664", "host:0", "host:65536", "a b:1", "h" * 250 + ":1"]
)
def test_an_address_that_the_ledger_cannot_name_is_none(told: str) -> None:
    with pytest.raises(NotReachable):
        enrolment._split(told)
    for answer in (
        enrolment_pb2.EnrolResponse(sync_endpoint=told),
        enrolment_pb2.EnrolResponse(sync_endpoint="host:1", overflow_endpoints=[told]),
    ):
        with pytest.raises(EnrolmentFailed, match="HOST:PORT"):
            enrolment._identity(answer, b"", "host:1", b"")


def test_hosts_and_addresses_are_told_apart() -> None:
    assert enrolment._split("cloud.example:443") == ("cloud.example", 443)
    assert enrolment._split("[fe80::1%eth0]:443") == ("fe80::1%eth0", 443)


async def test_an_enrolment_during_a_renewal_is_what_stays(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed, enrolled = someone("renewed"), someone("enrolled")
    queue = LedgerQueue(Log.open(paths.ledger))
    identity.store(paths.courier, someone("old"))
    courier = Courier(paths, bytes(32), queue, Replays(()), time.time, COUNTED)
    begun, go_on, really = threading.Event(), threading.Event(), identity.store

    def store(folder: Path, fresh: Identity) -> None:
        if fresh is renewed:
            begun.set()
            assert go_on.wait(WAIT_S)
        really(folder, fresh)

    async def exchange(*_: object) -> Identity:
        return enrolled

    monkeypatch.setattr(identity, "store", store)
    monkeypatch.setattr(enrolment, "exchange", exchange)
    writer: Any = Writer()
    old = courier._identity
    assert old is not None
    renewing = asyncio.create_task(courier._renewed(old, renewed))
    assert await asyncio.to_thread(begun.wait, WAIT_S)
    enrolling = asyncio.create_task(courier._enrol(_Attached(writer), wire.EnrolOrder(code="code")))
    await asyncio.wait((enrolling,), timeout=STORED_S)
    go_on.set()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(renewing, enrolling)
    assert identity.load(paths.courier) == courier._identity == enrolled
    await courier.stop()
