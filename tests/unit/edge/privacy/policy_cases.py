"""Policies and requests for tests, and an oracle: the policy's meaning written a second time, over grids of requests.

The oracle knows TOML tables and NumPy, and nothing of edge.privacy. It says for every request of the grid whether it
may go, and which values go in clear.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import combinations
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.privacy.policy import Documents, Policy, Purpose, Request, Spent, from_table
from models.detect.label import Label

ACTIONS: Final = ("allow", "redact", "refuse")
LABELS: Final = ("public", "internal", "personal", "special")
TYPES: Final = ("PERSON", "PHONE", "PASSWORD", "LOCATION")
LANGUAGES: Final = ("en", "de", "fr", None)
RISKS: Final = {"low": 0.01, "moderate": 0.05, "high": 0.1, "any": None}
MISS_RATES: Final = (None, 0.0, 0.01, 0.0101, 0.05, 0.0501, 0.1, 0.1001)
DOCUMENTS: Final = ("none", "public", "staff")
# Nothing is one choice of many: two policies under which nothing passes tell little.
BUDGETS: Final = (0, 1, 100, 100, 100, 1000, 1000, 1000)
# Spent in the hour, the day and the conversation, and to be spent now.
SPENDINGS: Final = (
    *((0, 0, 0, size) for size in (1, 2, 100, 101, 1000, 1001)),
    *((99, 0, 0, 1), (100, 0, 0, 1), (0, 99, 0, 1), (0, 100, 0, 1), (0, 0, 999, 1), (0, 0, 1000, 1)),
    # Past one budget alone, whatever the others are.
    *((1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 100, 1)),
)
# Each window's first and last minute as (day, from, to), to check the reading of hours by hand as well.
WINDOWS: Final = {
    "mon-fri 08:00-18:00": [(day, 480, 1080) for day in range(5)],
    "daily 00:00-24:00": [(day, 0, 1440) for day in range(7)],
    "sat 10:00-12:00": [(5, 600, 720)],
    "daily 08:00-09:00": [(day, 480, 540) for day in range(7)],
    "sun 23:59-24:00": [(6, 1439, 1440)],
}
# On both sides of the edges of windows, on Monday, Saturday and Sunday.
MINUTES: Final = tuple(
    day * 1440 + minute
    for day, minutes in ((0, (479, 480, 540, 1079, 1080)), (5, (540, 599, 600, 720)), (6, (480, 1438, 1439)))
    for minute in minutes
)
DAYS: Final = (date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3))
SUBSETS: Final = tuple(frozenset(found) for size in (0, 1, 2) for found in combinations(TYPES, size))

Table = dict[str, Any]


def rules(**changed: Any) -> Table:
    """Rules under which nearly everything may go."""
    free = {"public": "allow", "internal": "allow", "personal": "redact", "special": "refuse"}
    bounds = {f"bytes_per_{name}": 1000 for name in ("hour", "day", "session")}
    rest = {"consent": False, "hours": ["daily 00:00-24:00"], "languages": ["en"], "risk": "moderate"}
    return {**free, **bounds, **rest, "documents": "public", **changed}


def policy(**purposes: Table) -> Policy:
    return from_table({"format": 1, "name": "test", "valid_until": DAYS[1], **purposes})


def request(**changed: Any) -> Request:
    """A request that `policy(overflow=rules())` lets pass."""
    fields: dict[str, Any] = {
        "purpose": Purpose.OVERFLOW,
        "label": Label.PUBLIC,
        "seen": Label.PUBLIC,
        "types": frozenset(),
        "language": "en",
        "miss_rate": 0.02,
        "consent": False,
        "documents": Documents.NONE,
        "day": DAYS[0],
        "minute": 600,
        "size": 100,
        "spent": Spent(),
        "complete": True,
    }
    return Request(**(fields | changed))


# --- strategies ---

_HOURS = ([], *([window] for window in WINDOWS), ["sat 10:00-12:00", "daily 08:00-09:00"])
_ranks = st.lists(st.integers(0, 2), min_size=4, max_size=4).map(sorted)


@st.composite
def tables_of_rules(draw: st.DrawFn, risks: tuple[str, ...] = ("low", "moderate", "high")) -> Table:
    """Rules of one purpose, out of few values so that two of them often meet."""
    return {
        **dict(zip(LABELS, (ACTIONS[rank] for rank in draw(_ranks)), strict=True)),
        "sticky_from": draw(st.sampled_from(LABELS)),
        "types": draw(st.dictionaries(st.sampled_from(TYPES), st.sampled_from(ACTIONS), max_size=3)),
        "languages": draw(
            st.one_of(st.just("all"), st.lists(st.sampled_from(("en", "de", "fr")), unique=True))
        ),
        "risk": draw(st.sampled_from(risks)),
        "documents": draw(st.sampled_from(DOCUMENTS)),
        "consent": draw(st.booleans()),
        "hours": draw(st.sampled_from(_HOURS)),
        **{f"bytes_per_{name}": draw(st.sampled_from(BUDGETS)) for name in ("hour", "day", "session")},
    }


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A whole policy."""
    found: Table = {"format": 1, "name": "drawn", "valid_until": draw(st.sampled_from(DAYS))}
    if draw(st.integers(0, 9)):
        found["overflow"] = draw(tables_of_rules())
    if draw(st.booleans()):
        found["lan_llm"] = draw(tables_of_rules(("low", "any")))
    return found


@st.composite
def neighbours(draw: st.DrawFn, table: Table) -> Table:
    """`table` with a line or two as another policy has them: often just stricter, or just not."""
    found = {**table, "valid_until": draw(st.sampled_from((table["valid_until"], *DAYS)))}
    for purpose, risks in (("overflow", ("low", "moderate", "high")), ("lan_llm", ("low", "any"))):
        if purpose not in table:
            continue
        other = draw(tables_of_rules(risks))
        lines = draw(
            st.lists(
                st.sampled_from([*(line for line in other if line not in LABELS), "labels", "gone"]),
                max_size=2,
            )
        )
        changed = {line: other[line] for line in lines if line in other}
        if "labels" in lines:
            changed |= {label: other[label] for label in LABELS}
        found[purpose] = {**table[purpose], **changed}
        if "gone" in lines:
            del found[purpose]
    return found


def requests() -> st.SearchStrategy[Request]:
    """Single requests of the grid."""

    def built(purpose: str, cell: tuple[int, ...]) -> Request:
        subset, label, seen, language, miss, consent, documents, minute, spending, day = cell
        hour, of_day, session, size = SPENDINGS[spending]
        return Request(
            Purpose(purpose), Label(LABELS[label]), Label(LABELS[seen]), SUBSETS[subset], LANGUAGES[language],
            MISS_RATES[miss], bool(consent), Documents(DOCUMENTS[documents]), DAYS[day], MINUTES[minute], size,
            Spent(hour, of_day, session), complete=True,
        )  # fmt: skip

    return st.builds(built, st.sampled_from(["overflow", "lan_llm"]), st.tuples(*map(_below, grid_shape())))


def grid_shape() -> tuple[int, ...]:
    """Of the oracle's answers, an axis for each thing that a request says."""
    lengths = (
        SUBSETS,
        LABELS,
        LABELS,
        LANGUAGES,
        MISS_RATES,
        (False, True),
        DOCUMENTS,
        MINUTES,
        SPENDINGS,
        DAYS,
    )
    return tuple(map(len, lengths))


def cell_of(one: Request) -> tuple[int, ...]:
    """Where a request stands in the grid."""
    spending = (one.spent.hour, one.spent.day, one.spent.session, one.size)
    return (
        SUBSETS.index(one.types), LABELS.index(one.label), LABELS.index(one.seen), LANGUAGES.index(one.language),
        MISS_RATES.index(one.miss_rate), int(one.consent), DOCUMENTS.index(one.documents),
        MINUTES.index(one.minute), SPENDINGS.index(spending), DAYS.index(one.day),
    )  # fmt: skip


def _below(length: int) -> st.SearchStrategy[int]:
    return st.integers(0, length - 1)


# --- the oracle ---


def permitted(table: Table, purpose: str) -> NDArray[np.bool_]:
    """For every request of the grid whether it may go; bool of `grid_shape()`."""
    axes = _axes(table, purpose)
    if axes is None:
        return np.zeros((1,) * 10, dtype=bool)
    answer = np.ones((1,) * 10, dtype=bool)
    for place, axis in enumerate(axes):
        first = place + 2 if place else 0  # the first of them stands for three
        answer = answer & axis.reshape([1] * first + list(axis.shape) + [1] * (10 - first - axis.ndim))
    return answer


def passes(table: Table, one: Request) -> bool:
    """Whether a request of the grid may go."""
    axes, (subset, label, seen, *rest) = _axes(table, one.purpose), cell_of(one)
    return axes is not None and bool(
        axes[0][subset, label, seen] and all(axis[at] for axis, at in zip(axes[1:], rest, strict=True))
    )


def _axes(table: Table, purpose: str) -> list[NDArray[np.bool_]] | None:
    """What each thing that a request says does to it: [values, label, conversation's label], then one axis each."""
    found = table.get(purpose)
    if found is None:
        return None
    least = RISKS[found["risk"]]
    axes = [
        [[[clear is not None for clear in row] for row in rows] for rows in cleared(table, purpose)],
        [found["languages"] == "all" or language in found["languages"] for language in LANGUAGES],
        [least is None or (rate is not None and rate <= least) for rate in MISS_RATES],
        [not found["consent"], True],
        [DOCUMENTS.index(one) <= DOCUMENTS.index(found["documents"]) for one in DOCUMENTS],
        _open(found),
        _affordable(found),
        [day <= table["valid_until"] for day in DAYS],
    ]
    return [np.array(axis, dtype=bool) for axis in axes]


def cleared(table: Table, purpose: str) -> list[list[list[frozenset[str] | None]]]:
    """By values, label, and label of the conversation: which values go in clear; None where nothing may go."""
    found = table[purpose]
    return [
        [[_clear(found, values, text, seen) for seen in range(4)] for text in range(4)] for values in SUBSETS
    ]


def permits_no_more(a: Table, b: Table) -> bool:
    """Whether for every request of the grid: what passes under `a` passes under `b`, with no more taken out."""
    for purpose in ("overflow", "lan_llm"):
        of_a = permitted(a, purpose)
        if np.any(of_a & ~permitted(b, purpose)):
            return False
        if not of_a.any():
            continue
        any_of_text = of_a.any(axis=tuple(range(3, 10)))
        in_a, in_b = cleared(a, purpose), cleared(b, purpose)
        for subset, label, seen in np.argwhere(any_of_text):
            more, less = in_a[subset][label][seen], in_b[subset][label][seen]
            if more is None or less is None or not more <= less:
                return False
    return True


def _clear(found: Table, values: frozenset[str], text: int, seen: int) -> frozenset[str] | None:
    label = max(text, seen) if seen >= LABELS.index(found["sticky_from"]) else text
    of_label = found[LABELS[label]]
    treated = {value: found["types"].get(value, of_label) for value in values}
    if of_label == "refuse" or "refuse" in treated.values():
        return None
    return frozenset(value for value, action in treated.items() if action == "allow")


def _open(found: Table) -> list[bool]:
    windows = _minutes(tuple(found["hours"]))
    return [minute in windows for minute in MINUTES]


@cache
def _minutes(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(
        day * 1440 + minute
        for name in names
        for day, begin, end in WINDOWS[name]
        for minute in range(begin, end)
    )


def _affordable(found: Table) -> list[bool]:
    bounds = [found[f"bytes_per_{name}"] for name in ("hour", "day", "session")]
    return [
        all(spent + size <= bound for spent, bound in zip(before, bounds, strict=True))
        for *before, size in SPENDINGS
    ]
