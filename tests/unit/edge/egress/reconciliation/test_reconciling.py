"""The courier's comparison with the kernel's counters, with looks by script and a real ledger."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.egress import verify
from edge.egress.courier.leaves import close
from edge.egress.ledger import Draft, Leaf, LedgerFailed, reading
from edge.egress.ledger.export import exported
from edge.egress.ledger.log import Log
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic, reconciling
from edge.egress.reconciliation.confinement import TCP_WORDS, Counted
from edge.egress.reconciliation.reconciling import Kept, Reconciling, Told
from tests.contract.courier_process import new_site

START_MS = 1_800_000_000_000
TICK_MS = 10_000
HEADER = 52
"""Of each packet here: IPv4, TCP with time stamps."""


class Kernel:
    """Counters, a clock, and the meter's newest look at them."""

    def __init__(self) -> None:
        self.packets = self.content = self.refused = self.received = 0
        self.others: dict[str, int] = {}
        self.at_s, self.time_ms = 1_000.0, START_MS
        self.there = True
        self.uid = os.getuid()

    def sends(self, content: int, packets: int = 1) -> None:
        self.content += content
        self.packets += packets

    def look(self) -> Counted | None:
        counters = {f"courier_tcp{words}": (self.packets if words == 8 else 0, 0) for words in TCP_WORDS}
        counters |= {"courier_sent": (self.packets, self.content + HEADER * self.packets)}
        counters |= dict.fromkeys(("courier_ipv6", "courier_dns"), (0, 0))
        counters |= {"courier_received": (self.received, self.received)}
        counters |= {
            "node_refused_udp": (self.refused, 60 * self.refused),
            "forwarded_refused": (0, self.refused),
        }
        counters |= {name: (1, self.others.get(name, 0)) for name in ("other_sent", "forwarded", "node_lan")}
        users = {"node": 1, "worker": 2, "courier": self.uid}
        return Counted(self.at_s, self.time_ms, users, "count", counters) if self.there else None


class Site:
    """A ledger, a kernel, and the courier's comparison of them, a look at a time."""

    def __init__(self, paths: SitePaths, boot: Path) -> None:
        self.paths, self.boot, self.kernel = paths, boot, Kernel()
        self.heard: list[Told] = []
        self.open()

    def open(self) -> None:
        """A courier starts."""
        self.queue = LedgerQueue(Log.open(self.paths.ledger, lambda: self.kernel.time_ms))
        self.reconciling = Reconciling(self.queue, self.kernel.look, self._hears, self.boot)

    def _hears(self) -> None:
        self.heard.append(self.reconciling.told)

    @property
    def alarms(self) -> int:
        """How often the node heard of more that is not explained, or of when that was."""
        before = [Told(), *self.heard]
        pairs = zip(before, self.heard, strict=False)
        return sum(
            (one.unexplained_bytes, one.at_ms) != (two.unexplained_bytes, two.at_ms) for one, two in pairs
        )

    async def restart(self) -> None:
        await self.queue.close()
        self.open()

    async def minute(self, ticks: int = 6) -> None:
        for _ in range(ticks):
            self.kernel.at_s += TICK_MS / 1_000
            self.kernel.time_ms += TICK_MS
            await self.reconciling.look()

    async def envelope(self, size: int, outcome: str = "written", *, closes: bool = True) -> str:
        named = os.urandom(16).hex()
        texts = {"destination": "c:1", "kind": "outbox_batch", "verdict": "schema", "policy": ""}
        fields = {"envelope": named, "rows": 1, "bytes": size, "commitment": "ab" * 32, **texts}
        await self.queue.append([Draft("intent", fields)])
        if closes:
            await self.close(named, size, outcome)
        return named

    async def close(self, named: str, size: int, outcome: str = "written") -> None:
        sent = size if outcome == "written" else 0
        await self.queue.append([close(bytes.fromhex(named), outcome, sent, "")])

    def compared(self) -> list[Leaf]:
        return [
            leaf for leaf in reading.read(self.paths.ledger) if leaf.type in ("reconciled", "discrepancy")
        ]

    async def checked(self) -> dict[str, object]:
        """What the verifier says of an export."""
        await self.queue.checkpoint()
        with exported(self.paths) as export:
            found = verify.verify(export, verify.ask())
        assert found.problems == []
        return verify.document(found)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(own_traffic, "_so_far", own_traffic.Own())
    (tmp_path / "boot").write_text("first\n")
    made = Site(new_site(tmp_path / "site"), tmp_path / "boot")
    await made.reconciling.look()
    yield made
    await made.queue.close()


async def test_what_the_ledger_explains_is_reconciled(site: Site) -> None:
    await site.envelope(5_000)
    site.kernel.sends(5_300, packets=4)
    await site.minute()
    await site.envelope(100)
    site.kernel.sends(200)
    await site.minute()
    first, second = site.compared()
    assert (first.type, first.fields["ledger_bytes"], first.fields["unexplained_bytes"]) == (
        "reconciled",
        5_000,
        0,
    )
    assert first.fields["kernel_bytes"] == 5_300 + 4 * HEADER
    assert (first.fields["header_bytes"], first.fields["framing_bytes"]) == (4 * HEADER, 300)
    assert second.fields["from_ms"] == first.fields["to_ms"] == START_MS + 60_000
    assert second.fields["from_entry"] == first.index + 1
    assert site.reconciling.told.compared_ms == second.fields["to_ms"]
    assert [one.compared_ms for one in site.heard] == [first.fields["to_ms"], second.fields["to_ms"]]
    assert (await site.checked())["ok"]


async def test_what_it_does_not_explain_is_told_at_once(site: Site) -> None:
    site.kernel.sends(100_000, packets=3)
    await site.minute()
    (leaf,) = site.compared()
    assert leaf.type == "discrepancy"
    assert leaf.fields["unexplained_bytes"] == 100_000 - 1_000
    assert site.alarms == 1
    assert site.reconciling.told.unexplained_bytes == 99_000
    assert site.reconciling.told.at_ms == leaf.fields["to_ms"]
    told = await site.checked()
    assert (told["whole"], told["explained"]) == (True, False)
    await site.restart()
    await site.minute(1)
    assert site.reconciling.told.at_ms == leaf.fields["to_ms"], (
        "a courier that starts again has not forgotten it"
    )


async def test_quiet_minutes_are_one_leaf(site: Site) -> None:
    for _ in range(9):
        await site.minute()
    assert site.compared() == []
    assert site.reconciling.told.compared_ms == site.kernel.time_ms, "compared, and not written down yet"
    await site.minute()
    (leaf,) = site.compared()
    assert int(leaf.fields["to_ms"]) - int(leaf.fields["from_ms"]) == 600_000
    assert (await site.checked())["ok"]


async def test_own_frames_and_connections_explain_what_they_may(site: Site) -> None:
    own_traffic.attempted()
    own_traffic.connecting()
    own_traffic.framed(300)
    site.kernel.sends(3_500)
    await site.envelope(10)
    await site.minute()
    (leaf,) = site.compared()
    assert leaf.type == "reconciled"
    own = [leaf.fields[name] for name in ("attempts", "connections", "frames", "frame_bytes")]
    assert own == [1, 1, 1, 300]
    assert (await site.checked())["ok"]


async def test_only_what_the_courier_itself_received_explains_anything(site: Site) -> None:
    """Else whoever sends another process much could have it send a thousandth."""
    site.kernel.received = 100_000_000
    site.kernel.sends(50_000)
    await site.minute()
    own_traffic.received(100_000_000)
    site.kernel.received += 100_000_000
    site.kernel.sends(50_000)
    await site.envelope(10)
    await site.minute()
    assert [leaf.type for leaf in site.compared()] == ["discrepancy", "reconciled"]
    assert (await site.checked())["whole"]


async def test_an_envelope_that_closes_after_the_minute_is_explained_once(site: Site) -> None:
    named = await site.envelope(50_000, closes=False)
    site.kernel.sends(50_000)
    await site.envelope(10)
    await site.minute()
    await site.close(named, 50_000)
    await site.minute()
    assert [leaf.type for leaf in site.compared()] == ["reconciled", "reconciled"]
    site.kernel.sends(50_000)
    await site.minute()
    assert site.compared()[-1].type == "discrepancy"
    assert (await site.checked())["whole"]


@pytest.mark.parametrize("outcome", ["failed", "not_sent"])
async def test_what_may_have_left_explains_and_what_did_not_does_not(site: Site, outcome: str) -> None:
    await site.envelope(50_000, outcome)
    site.kernel.sends(50_000)
    await site.minute()
    (leaf,) = site.compared()
    assert leaf.type == ("reconciled" if outcome == "failed" else "discrepancy")
    assert (await site.checked())["whole"]


async def test_what_left_while_no_courier_ran_is_found_when_one_comes_back(site: Site) -> None:
    await site.envelope(100)
    await site.minute()
    site.kernel.sends(100_000)
    await site.minute(30)  # nobody looks: the same as none, but for the last
    await site.restart()
    await site.minute()
    found = sum(int(leaf.fields["unexplained_bytes"]) for leaf in site.compared())
    assert 50_000 < found < 100_000


async def test_a_courier_that_starts_again_goes_on_from_the_last_look(site: Site) -> None:
    await site.envelope(100)
    await site.minute()
    named = await site.envelope(4_000, closes=False)
    await site.restart()
    site.kernel.at_s += 7_200
    site.kernel.time_ms += 7_200_000
    site.kernel.sends(100_000)
    await site.reconciling.look()
    first, second = site.compared()
    assert second.fields["from_ms"] == first.fields["to_ms"]
    assert second.fields["ledger_bytes"] == 4_000, f"{named} may have left"
    assert (second.type, second.fields["connections"]) == ("discrepancy", reconciling.LOST.connections)
    assert (await site.checked())["whole"]


def _loaded_anew(site: Site) -> None:
    site.kernel.content = site.kernel.packets = 0


def _other_start(site: Site) -> None:
    site.boot.write_text("second\n")


def _no_meter(site: Site) -> None:
    site.kernel.there = False


def _somebody_else(site: Site) -> None:
    site.kernel.uid += 1


@pytest.mark.parametrize("change", [_loaded_anew, _other_start, _no_meter, _somebody_else])
async def test_where_the_counters_say_nothing_nothing_is_compared_and_the_verifier_says_so(
    site: Site, change: Callable[[Site], None]
) -> None:
    await site.envelope(100)
    site.kernel.sends(150)
    await site.minute()
    change(site)
    await site.restart() if change is _other_start else None
    await site.minute(1)
    site.kernel.there, site.kernel.uid = True, os.getuid()
    await site.envelope(70_000)
    site.kernel.sends(70_000)
    await site.minute(1)
    await site.envelope(100)
    await site.minute()
    first, last = site.compared()
    assert int(last.fields["from_ms"]) > int(first.fields["to_ms"])
    assert last.fields["ledger_bytes"] in (100, 70_100)
    told = await site.checked()
    assert (told["explained"], told["gaps_count"]) == (False, 1)


@pytest.mark.parametrize(
    ("back_ms", "steps"), [(30_000, 0), (540_000, 1), (3_600_000, 1), (365 * 86_400_000, 1)]
)
@pytest.mark.parametrize("quiet", [0, 8])
async def test_a_clock_that_goes_back_hides_nothing_of_what_is_compared(
    site: Site, back_ms: int, steps: int, quiet: int
) -> None:
    await site.envelope(100)
    await site.minute()
    await site.minute(6 * quiet)
    site.kernel.sends(25_000_000, packets=500)
    site.kernel.time_ms -= back_ms
    site.kernel.sends(25_000_000, packets=500)  # between the same two looks
    await site.minute(10)
    told = await site.checked()
    found = sum(int(leaf.fields["unexplained_bytes"]) for leaf in site.compared())
    assert 50_000_000 - 12_000 < found < 50_000_000
    assert site.alarms == 1
    assert (told["whole"], told["explained"], told["set_back_count"]) == (True, False, steps)
    assert told["gaps_count"] == 0


async def test_what_an_open_envelope_had_ahead_is_explained_over_a_clock_that_goes_back(site: Site) -> None:
    named = await site.envelope(50_000, closes=False)
    site.kernel.sends(50_000)
    await site.envelope(10)
    await site.minute()
    site.kernel.time_ms -= 3_600_000
    await site.close(named, 50_000)
    await site.minute()
    assert [leaf.type for leaf in site.compared()] == ["reconciled", "reconciled"]
    assert (await site.checked())["whole"]


async def test_a_look_of_just_before_the_clock_was_set_back_spoils_no_record(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.envelope(100)
    await site.minute(5)
    look = site.kernel.look
    site.kernel.at_s += TICK_MS / 1_000
    site.kernel.time_ms += TICK_MS
    seen = look()
    site.kernel.time_ms -= 3_600_000
    monkeypatch.setattr(site.reconciling, "_look", lambda: seen)
    await site.reconciling.look()
    monkeypatch.setattr(site.reconciling, "_look", look)
    assert site.compared() == []
    await site.minute(1)
    site.kernel.sends(100_000)
    await site.minute()
    assert site.alarms == 1
    assert (await site.checked())["whole"]


async def test_over_a_clock_that_was_set_back_nothing_is_called_complete(site: Site) -> None:
    await site.envelope(100)
    await site.minute()
    site.kernel.time_ms -= 3_600_000
    await site.minute(1)
    await site.envelope(100)
    await site.minute()
    told = await site.checked()
    claimed = " ".join(map(str, told["claimed"]))  # type: ignore[call-overload]
    assert "Complete" not in claimed
    assert "the clock was wrong" in claimed
    assert "nobody can tell if it is all" in str(told["anything_else"])
    assert told["set_back_count"] == 1


async def test_a_ledger_that_cannot_be_written_loses_nothing_of_the_comparison(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.envelope(100)
    own_traffic.connecting()
    await site.minute(5)

    def fail(*_: object) -> None:
        raise LedgerFailed("no room")

    with monkeypatch.context() as full:
        full.setattr(Log, "_append", fail)
        with pytest.raises(LedgerFailed):
            await site.minute(1)
    await site.minute(1)
    (leaf,) = site.compared()
    assert leaf.fields["connections"] == 1


async def test_refused_packets_of_others_are_counted_and_are_no_discrepancy(site: Site) -> None:
    site.kernel.refused = 3
    await site.envelope(100)
    await site.minute()
    (leaf,) = site.compared()
    assert (leaf.type, leaf.fields["other_packets"], leaf.fields["other_bytes"]) == ("reconciled", 3, 183)


async def test_what_other_users_sent_is_in_the_leaf_and_no_discrepancy(site: Site) -> None:
    site.kernel.others = {"other_sent": 70_000, "forwarded": 500, "node_lan": 40}
    site.kernel.refused = 3
    await site.envelope(100)
    await site.minute()
    (leaf,) = site.compared()
    assert (leaf.type, leaf.fields["others_sent_bytes"], leaf.fields["lan_bytes"]) == (
        "reconciled",
        70_500,
        40,
    )
    assert "70,500 bytes" in str((await site.checked())["anything_else"])


@pytest.mark.parametrize("name", sorted(reconciling.COMPARED))
async def test_rules_of_another_version_are_no_reason_to_compare_or_to_fail(site: Site, name: str) -> None:
    """Neither in force, nor when the courier looked last."""
    whole = site.kernel.look

    def lacking() -> Counted:
        found = whole()
        assert found is not None
        return replace(found, counters={one: two for one, two in found.counters.items() if one != name})

    await site.envelope(100)
    site.reconciling._look = lacking
    await site.minute()
    assert site.compared() == []
    site.reconciling._look = whole
    await site.minute(1)
    kept = Kept.parse(site.queue._ledger._db.execute("SELECT compared FROM account").fetchone()[0])
    assert kept.known is not None
    older = {one: two for one, two in kept.known.counters.items() if one != name}
    text = str(replace(kept, known=replace(kept.known, counters=older)))
    site.queue._ledger._db.execute("UPDATE account SET compared = ?", [text])
    await site.minute()
    assert site.compared() == []


def test_what_another_version_kept_says_nothing() -> None:
    for text in ("", "x", "[]", json.dumps({"known": {"boot": "x"}}), json.dumps({"other": 1})):
        assert Kept.parse(text) == Kept()
