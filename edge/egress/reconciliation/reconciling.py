"""Each minute the courier compares what the kernel counted of its user with what the ledger says (ADR 70).

It goes by the looks of root's meter, not by a clock of its own: both ends of what is compared are then of the same
counters. What the leaves explain becomes a leaf `reconciled`, what they do not a leaf `discrepancy`, and is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from edge.egress.ledger import Draft, LedgerFailed
from edge.egress.ledger.account import Account
from edge.egress.ledger.log import CLOCK_BACK_MS
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic
from edge.egress.reconciliation.confinement import TCP_WORDS, Count, Counted
from edge.egress.reconciliation.framing import MINUTE_MS, Explained, Judgement, Period, believed, judge
from edge.egress.reconciliation.own_traffic import Own

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Between two looks whether the meter has written: it does every ten seconds."""
EVERY_MS: Final = MINUTE_MS
QUIET_MS: Final = 10 * MINUTE_MS
"""Minutes in which no envelope was closed, and all is explained, are compared each, and written down together: a leaf a
minute would be 250 MB a year, and a signature of the control plane's each."""
LOST: Final = Own(attempts=2, connections=2, frames=8, frame_bytes=4_096, received_bytes=1 << 28)
"""What a courier that ended may have counted since its last leaf, at most a minute's worth of it; what it received
only as far as the kernel counted it."""
COMPARED: Final = frozenset(
    {"courier_sent", "courier_ipv6", "courier_dns", "courier_received", "other_sent", "forwarded", "node_lan"}
    | {f"courier_tcp{words}" for words in TCP_WORDS}
)
"""Counters without which nothing is."""
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
REMEDY: Final = "See docs/operations.md, Bytes that the ledger does not explain."


@dataclass(frozen=True)
class Known:
    """The earlier look of the next comparison, and what the ledger came to by then."""

    boot: str
    at_s: float
    time_ms: int
    counters: Mapping[str, Count]
    from_entry: int
    envelopes: int
    bytes: int
    carried: int

    @property
    def counted(self) -> Counted:
        return Counted(self.at_s, self.time_ms, {}, "count", self.counters)


@dataclass(frozen=True)
class Kept:
    """What lies in the ledger's database from one comparison to the next."""

    told_ms: int = 0
    """The end of the last one that was not explained; 0: none."""
    known: Known | None = None
    """None: what comes is compared from the next look on."""

    @classmethod
    def parse(cls, text: str) -> Kept:
        """What is nothing, or another version's, says nothing."""
        try:
            said = json.loads(text or "{}")
            known = said.pop("known", None)
            return cls(**said, known=None if known is None else Known(**known))
        except (ValueError, TypeError):
            return cls()

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Told:
    """What the node is to hear."""

    unexplained_bytes: int = 0
    """Since this process began."""
    at_ms: int = 0
    """The end of the last time with any; 0: none in this ledger."""
    compared_ms: int = 0
    """The end of the last time that was compared, explained or not, since this process began; 0: none."""


class Reconciling:
    """`keep` for as long as the courier runs."""

    def __init__(
        self,
        ledger: LedgerQueue,
        look: Callable[[], Counted | None],
        alarm: Callable[[], None],
        boot: Path = BOOT,
    ) -> None:
        """`look`: the meter's newest. `alarm`: called when `told` has changed."""
        self.told = Told()
        self._ledger = ledger
        self._look = look
        self._alarm = alarm
        self._boot = _read(boot)
        self._before: Counted | None = None
        self._nobody_says = False
        """What the kernel counted; that is settled."""
        self._own = Own() - LOST
        """The process's counts when what is compared next began."""
        self._next_own = self._own
        self._next_told = self.told

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except LedgerFailed as error:
                log.error("the comparison with the kernel cannot be written", extra={"detail": error.detail})
            except Exception:  # a bug here must not end the courier
                log.exception("the ledger was not compared with the kernel's counters")

    async def look(self) -> None:
        """Once. Nothing where the meter has nothing new. Raises LedgerFailed: then the next look compares it."""
        counted = self._look()
        if counted is not None and (counted.users.get("courier") != os.getuid() or not _whole(counted)):
            counted = None
        before = self._before
        same = counted is not None and before is not None and counted.at_s == before.at_s
        if same or (counted is None and self._nobody_says):
            return
        goes_on = counted is not None and (before is None or _goes_on(before, counted))
        await self._ledger.compare(partial(self._judge, counted, goes_on))
        self._before, self._own, self._nobody_says = counted, self._next_own, counted is None
        if self._next_told != self.told:
            self.told = self._next_told
            self._alarm()

    def _judge(self, counted: Counted | None, goes_on: bool, account: Account) -> tuple[Draft | None, str]:
        """In the ledger's thread, which alone knows what its leaves come to. A failed write changes nothing."""
        self._next_own = self._own
        kept = Kept.parse(account.compared)
        self._next_told = replace(self.told, at_ms=kept.told_ms)
        known = kept.known
        if counted is None:
            return None, str(replace(kept, known=None))
        if counted.time_ms > account.now_ms + CLOCK_BACK_MS:
            # The clock was set back since the look: a leaf of it would lie ahead of its own time, and that is a record
            # that is wrong. The next look comes in ten seconds.
            return None, account.compared
        now = own_traffic.so_far()
        if known is None or not goes_on or not self._same_counters(known, counted):
            self._next_own = now
            return None, str(replace(kept, known=self._known(counted, account, account.size, 0)))
        known = _by_clock_of(counted, known)
        if counted.time_ms - known.time_ms < EVERY_MS:
            return None, account.compared
        period = _between(known, counted)
        received = _grown(known.counted, counted, "courier_received")[1]
        own = believed(now - self._own, period.minutes, received)
        explained = Explained(
            account.envelopes - known.envelopes, account.bytes - known.bytes, account.open_bytes
        )
        found = judge(period, own, explained, known.carried)
        self._next_told = replace(self._next_told, compared_ms=period.to_ms)
        quiet = not explained.envelopes and not found.unexplained_bytes
        if quiet and period.to_ms - period.from_ms < QUIET_MS:
            return None, account.compared
        self._next_own = now
        if found.unexplained_bytes:
            self._tell(period, found.unexplained_bytes)
        following = self._known(counted, account, account.size + 1, found.carried)
        return _leaf(period, own, explained, found), str(Kept(self._next_told.at_ms, following))

    def _same_counters(self, known: Known, counted: Counted) -> bool:
        return known.boot == self._boot and _whole(known.counted) and _goes_on(known.counted, counted)

    def _known(self, counted: Counted, account: Account, first: int, carried: int) -> Known:
        looked = (self._boot, counted.at_s, counted.time_ms, counted.counters)
        return Known(*looked, first, account.envelopes, account.bytes, carried)

    def _tell(self, period: Period, unexplained: int) -> None:
        self._next_told = replace(
            self._next_told,
            unexplained_bytes=self.told.unexplained_bytes + unexplained,
            at_ms=period.to_ms,
        )
        times = {"from_ms": period.from_ms, "to_ms": period.to_ms}
        log.error(
            "the kernel counted bytes of the courier's user that the ledger does not explain",
            extra={"bytes": unexplained, **times, "remedy": REMEDY},
        )


def _leaf(period: Period, own: Own, explained: Explained, found: Judgement) -> Draft:
    fields = {
        **asdict(period),
        **asdict(own),
        "ledger_bytes": explained.bytes,
        "framing_bytes": found.framing_bytes,
        "unexplained_bytes": found.unexplained_bytes,
    }
    return Draft("discrepancy" if found.unexplained_bytes else "reconciled", fields)


def _whole(counted: Counted) -> bool:
    """Whether the rules that were in force count what is compared; those of an earlier version do not."""
    return counted.counters.keys() >= COMPARED


def _goes_on(before: Counted, after: Counted) -> bool:
    """Whether the counters are the same ones: not loaded anew in between, nor the machine started. The clock may go
    back as it likes: whoever can set it must not be able to end the comparison."""
    none = (0, 0)
    return after.at_s > before.at_s and all(
        packets <= after.counters.get(name, none)[0] and size <= after.counters.get(name, none)[1]
        for name, (packets, size) in before.counters.items()
    )


def _by_clock_of(counted: Counted, known: Known) -> Known:
    """The earlier look at the time that the clock, had it been as now, would have said then, where it was set back.

    What was carried is not, since for the verifier such a comparison follows none.
    """
    elapsed_ms = round((counted.at_s - known.at_s) * 1_000)
    if counted.time_ms - known.time_ms >= elapsed_ms - EVERY_MS:
        return known
    return replace(known, time_ms=max(0, counted.time_ms - elapsed_ms), carried=0)


def _between(known: Known, counted: Counted) -> Period:
    before = known.counted
    packets, size = _grown(before, counted, "courier_sent", "courier_dns")
    refused = [name for name in counted.counters if "refused" in name]
    other_packets, other_bytes = _grown(before, counted, *refused)
    return Period(
        from_ms=before.time_ms,
        to_ms=counted.time_ms,
        from_entry=known.from_entry,
        kernel_bytes=size,
        kernel_packets=packets,
        header_bytes=counted.courier_headers() - before.courier_headers(),
        other_bytes=other_bytes,
        other_packets=other_packets,
        others_sent_bytes=_grown(before, counted, "other_sent", "forwarded")[1],
        lan_bytes=_grown(before, counted, "node_lan")[1],
    )


def _grown(before: Counted, after: Counted, *names: str) -> Count:
    none = (0, 0)
    counts = [(before.counters.get(name, none), after.counters.get(name, none)) for name in names]
    return sum(new[0] - old[0] for old, new in counts), sum(new[1] - old[1] for old, new in counts)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
