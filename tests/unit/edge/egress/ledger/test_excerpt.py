"""Leaves of a few envelopes out of a ledger: all of theirs, none of others', each proven, and none too far back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.egress.courier.leaves import close
from edge.egress.ledger import excerpt as excerpts
from edge.egress.ledger.excerpt import Excerpt, TooFarBack, TooMany, excerpt
from edge.egress.ledger.leaf_types import Draft, leaf_of
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Checkpoint, Note, Verifier, is_signed
from edge.egress.ledger.tree import includes, leaf_hash
from edge.paths import SitePaths, site_paths

HOUR_MS = 3_600_000
START_MS = 1_800_000_000_000


class Clock:
    ms = START_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path / "site")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(paths: SitePaths, clock: Clock) -> Iterator[Log]:
    opened = Log.open(paths.ledger, now_ms=clock)
    yield opened
    opened.close()


def name(number: int) -> str:
    return f"{number:032x}"


def intent(number: int) -> Draft:
    fields = {"destination": "cloud:1", "kind": "generate", "rows": 0, "bytes": 9, "verdict": "public"}
    more = {"envelope": name(number), "policy": "ab" * 32, "commitment": "cd" * 32}
    return Draft("intent", fields | more)


def sent(number: int, outcome: str = "written") -> list[Draft]:
    return [intent(number), close(bytes.fromhex(name(number)), outcome, 9 if outcome == "written" else 0, "")]


def asked(log: Log, paths: SitePaths, *numbers: int, since_ms: int = START_MS) -> Excerpt:
    return excerpt(paths.ledger, log.checkpoint(), frozenset(map(name, numbers)), since_ms)


def types(found: Excerpt) -> list[tuple[int, str]]:
    return [(one.index, leaf_of(one.index, one.entry).type) for one in found.leaves]


def test_each_leaf_is_proven_against_the_signed_checkpoint(log: Log, paths: SitePaths) -> None:
    log.append([draft for number in range(300) for draft in sent(number)])
    found = asked(log, paths, 3, 280)
    assert types(found) == [(7, "intent"), (8, "close"), (561, "intent"), (562, "close")]
    note = Note.parse(found.checkpoint)
    assert is_signed(note, Verifier.parse(found.log_key))
    signed = Checkpoint.parse(note.text)
    assert signed.size == 601
    for one in found.leaves:
        assert includes(signed.root, signed.size, one.index, leaf_hash(one.entry), one.proof)
        assert not includes(signed.root, signed.size, one.index + 1, leaf_hash(one.entry), one.proof)


def test_one_that_was_announced_again_has_all_its_leaves(log: Log, paths: SitePaths) -> None:
    log.append([*sent(1, "failed"), *sent(2), *sent(1)])
    assert types(asked(log, paths, 1)) == [(1, "intent"), (2, "close"), (5, "intent"), (6, "close")]


def test_what_is_under_way_is_open_and_what_is_not_there_has_none(log: Log, paths: SitePaths) -> None:
    log.append([intent(1)])
    assert types(asked(log, paths, 1, 2)) == [(1, "intent")]
    assert asked(log, paths).leaves == ()


def test_it_looks_no_further_back_than_it_must(
    log: Log, paths: SitePaths, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(sent(1))
    for first in (2, 300):
        clock.ms += HOUR_MS
        log.append([draft for number in range(first, first + 298) for draft in sent(number)])
    assert types(asked(log, paths, 1, 597, since_ms=START_MS))[:1] == [(1, "intent")]
    monkeypatch.setattr(excerpts, "LOOKED_MAX", 256)
    with pytest.raises(TooFarBack):
        asked(log, paths, 1, since_ms=START_MS)
    assert types(asked(log, paths, 597, since_ms=START_MS))


def test_what_was_written_before_the_clock_was_set_back_is_not_absent(
    log: Log, paths: SitePaths, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.ms = announced_ms = START_MS + 2 * HOUR_MS
    log.append(sent(1))
    clock.ms -= HOUR_MS
    log.append([draft for number in range(2, 300) for draft in sent(number)])
    assert types(asked(log, paths, 1, 2, since_ms=announced_ms))[:2] == [(1, "intent"), (2, "close")]
    assert types(asked(log, paths, 300, since_ms=announced_ms)) == []
    monkeypatch.setattr(excerpts, "LOOKED_MAX", 256)
    with pytest.raises(TooFarBack):
        asked(log, paths, 1, since_ms=clock.ms)


def test_what_may_stand_in_an_older_ledger_is_not_said_to_be_absent(log: Log, paths: SitePaths) -> None:
    with pytest.raises(TooFarBack):
        asked(log, paths, 1, since_ms=START_MS - 1)


def test_more_leaves_than_an_answer_holds_are_refused(
    log: Log, paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excerpts, "LEAVES_MAX", 3)
    log.append([*sent(1), *sent(2)])
    assert len(asked(log, paths, 1).leaves) == 2
    with pytest.raises(TooMany):
        asked(log, paths, 1, 2)
