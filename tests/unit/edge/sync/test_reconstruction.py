"""Somebody who knows the rules reads what goes up, and tries to show that a turn was there that is not told."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from edge.store import counters, migrations, outbox
from edge.store.counters import CELLS, SMALLEST_CELL
from edge.sync.telemetry import close_buckets, told

Counts = dict[str, dict[str, int]]
HOUR_S = 3600
START_S = 1_700_000_000 - 1_700_000_000 % HOUR_S
SECONDS = sorted(CELLS["turn_seconds"])
# How a turn ends: its route, and what became of the model's words if it wrote any. Sums of these are all there is to
# know of how counters hang together (edge/chat/turn_rows.py, edge/chat/turn.py).
ENDINGS = [
    *((route, "") for route in sorted(CELLS["turns"] - {"generate", "overflow"})),
    *(("answer", outcome) for outcome in sorted(CELLS["generated"] - {"grounded"})),
    *((route, "grounded") for route in ("generate", "overflow")),
]


def world(turns: Mapping[tuple[str, str, str], int]) -> Counts:
    """Counters after so many turns of each route, outcome and speed."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (route, outcome, seconds), number in turns.items():
        found["turns"][route] += number
        found["turn_seconds"][seconds] += number
        if outcome:
            found["generated"][outcome] += number
    return {name: {cell: n for cell, n in cells.items() if n} for name, cells in found.items()}


def nothing_beside(published: Counts) -> Counts:
    """The bucket in which only what is told happened: its turns, at the told speeds as far as those go."""
    turns = published.get("turns", {})
    generated = dict(published.get("generated", {}))
    if written := sum(turns.get(route, 0) for route in ("generate", "overflow")):
        generated["grounded"] = written
    seconds = dict(published.get("turn_seconds", {}))
    left = sum(turns.values()) - sum(seconds.values())
    for cell in SECONDS:  # up to four more in each cell do not show
        more = min(left, SMALLEST_CELL - 1)
        seconds[cell] = seconds.get(cell, 0) + more
        left -= more
    assert left == 0, "the told speeds fit no such bucket"
    whole = {name: cells for name in CELLS if (cells := dict(published.get(name, {})))}
    found = whole | {"turns": dict(turns), "turn_seconds": seconds, "generated": generated}
    return {name: {cell: n for cell, n in cells.items() if n} for name, cells in found.items()}


def naive(counts: Counts) -> dict[str, dict[str, int | None]]:
    """What suppression of single cells alone would tell."""
    return {
        name: {
            cell: None if n < SMALLEST_CELL else n - n % SMALLEST_CELL if name == "turn_seconds" else n
            for cell, n in cells.items()
        }
        for name, cells in counts.items()
    }


# --- in theory ---


@pytest.mark.proves("counts-only")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(ENDINGS), st.sampled_from(SECONDS)), st.integers(0, 30), max_size=40
    ),
    st.fixed_dictionaries(
        {"feedback": st.dictionaries(st.sampled_from(sorted(CELLS["feedback"])), st.integers(1, 12)),
         "handoffs": st.dictionaries(st.just("opened"), st.integers(1, 12))}
    ),
)  # fmt: skip
def test_what_is_told_may_be_all_that_happened(
    turns: dict[tuple[tuple[str, str], str], int], more: Counts
) -> None:
    counts = world({(*ending, seconds): number for (ending, seconds), number in turns.items()}) | more
    published = told(counts)
    assert told(nothing_beside(published)) == published
    for name, cells in published.items():
        for cell, number in cells.items():
            assert SMALLEST_CELL <= number <= counts[name][cell]
            assert name == "turns" or number % SMALLEST_CELL == 0
    exact = {cell: n for cell, n in counts.get("turns", {}).items() if n >= SMALLEST_CELL}
    assert published.get("turns", {}) == exact


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        ({"turns": {"answer": 4}, "turn_seconds": {"0.1": 4}}, {}),
        ({"turns": {"answer": 5}, "turn_seconds": {"0.1": 5}}, {"turns": {"answer": 5}, "turn_seconds": {"0.1": 5}}),
        # Twenty within a tenth of a second would say that at least four others were there beside sixteen answers.
        ({"turns": {"answer": 16, "safety": 4}, "turn_seconds": {"0.1": 20}},
         {"turns": {"answer": 16}, "turn_seconds": {"0.1": 15}}),
        # Ten shown answers of a model, of which eight are local ones: two by the control plane.
        ({"turns": {"generate": 8, "overflow": 2}, "generated": {"grounded": 10}},
         {"turns": {"generate": 8}, "generated": {"grounded": 5}}),
        # Four slow turns of each of four routes: no route is told, so no speed is.
        ({"turns": dict.fromkeys(("answer", "clarify", "refuse", "safety"), 4), "turn_seconds": {"1": 16}}, {}),
        ({"feedback": {"useful": 9}}, {}),
        ({"turns": {"answer": 7}, "feedback": {"useful": 9, "not_useful": 5}},
         {"turns": {"answer": 7}, "feedback": {"not_useful": 5}}),
        ({"turns": {"clarify": 9}, "generated": {"declined": 6}}, {"turns": {"clarify": 9}}),
    ],
)  # fmt: skip
def test_small_cells_and_what_would_give_them_away(counts: Counts, published: Counts) -> None:
    assert told(counts) == published


# --- by trying everything ---


def _worlds() -> Iterator[Counts]:
    """Every small bucket of three routes, two speeds and two outcomes."""
    fast, slow = "0.1", "1"
    for answers, declined, shown, safety in product(range(8), (0, 3, 6), range(8), range(6)):
        if declined > answers:
            continue
        for quick in range(answers + shown + safety + 1):
            counts = world({("answer", "declined", fast): declined, ("answer", "", fast): answers - declined,
                            ("generate", "grounded", fast): shown, ("safety", "", fast): safety})  # fmt: skip
            total = answers + shown + safety
            speeds = {fast: quick, slow: total - quick}
            yield counts | {"turn_seconds": {cell: n for cell, n in speeds.items() if n}}


def _shown_to_be_there(rule: Callable[[Counts], object]) -> set[str]:
    """Routes of which a reader who tries every bucket can say: at least one turn, though no number is told."""
    possible: dict[str, list[Counts]] = defaultdict(list)
    for counts in _worlds():
        possible[json.dumps(rule(counts), sort_keys=True)].append(counts)
    found = set()
    for published, buckets in possible.items():
        for route in ("answer", "generate", "safety"):
            if json.loads(published).get("turns", {}).get(route) is None:
                least = min(bucket.get("turns", {}).get(route, 0) for bucket in buckets)
                found |= {route} if least else set()
    return found


@pytest.mark.proves("counts-only")
def test_trying_every_bucket_shows_no_turn_that_is_not_told() -> None:
    assert _shown_to_be_there(naive) == {"answer", "generate", "safety"}, "the reader knows how to subtract"
    assert _shown_to_be_there(told) == set()


# --- over time ---


@pytest.fixture
def db() -> Database:
    opened = Database(sqlite3.connect(":memory:"))
    migrations.site.apply(opened)
    return opened


def _sent(db: Database) -> list[bytes]:
    return [row.payload for row in outbox.rows_after(db, 0, 10_000, 10**8)]


@pytest.mark.proves("counts-only")
@pytest.mark.parametrize("seed", range(5))
def test_no_turn_is_in_two_buckets_however_they_are_cut(db: Database, seed: int) -> None:
    """Buckets of other lengths, a clock that goes back, a second look: no two rows differ by a single turn."""
    draw, counted, now_s = random.Random(seed), Counter[str](), START_S
    for _ in range(60):
        now_s += draw.choice((-1800, 30, 600, 3700))
        for _ in range(draw.randrange(9)):
            route = draw.choice(("answer", "answer", "safety"))
            counters.count(db, "turns", route, now_s=now_s)
            counted[route] += 1
        if draw.random() < 0.5:
            before = _sent(db)
            close_buckets(db, now_s, draw.choice((60, 3600)))
            assert _sent(db)[: len(before)] == before, "what was sent is sent again as it was"
    close_buckets(db, now_s + 10**6, 3600)
    summed: Counter[str] = Counter()
    for payload in _sent(db):
        counts = json.loads(payload)["counts"]
        assert counts == told(nothing_beside(counts))
        summed.update(counts["turns"])
    assert all(summed[route] <= counted[route] for route in summed)
    assert summed["answer"], "something is told"


@pytest.mark.proves("counts-only")
def test_an_hour_with_little_looks_like_an_hour_with_nothing(db: Database) -> None:
    for route in ("safety", "handoff", "answer"):
        counters.count(db, "turns", route, now_s=START_S)
        counters.observe(db, "turn_seconds", 0.2, now_s=START_S)
    assert close_buckets(db, START_S + HOUR_S, HOUR_S) == 1
    assert _sent(db) == []
