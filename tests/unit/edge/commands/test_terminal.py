"""Results as lines for people: no words of a programming language, and moments as dates."""

from __future__ import annotations

import pytest

from edge.commands.terminal import as_lines


def test_values_are_put_as_a_person_reads_them() -> None:
    found = {
        "ok": True,
        "torn": False,
        "owner": None,
        "fallbacks": ["one", "two"],
        "devices": [{"id": "lobby", "state": "online"}],
        "sync": {"connected": False, "last_error": ""},
    }
    assert as_lines(found).splitlines() == [
        "ok: yes",
        "torn: no",
        "owner: ",
        "fallbacks: one, two",
        "devices: lobby online",
        "sync:",
        "  connected: no",
        "  last_error: ",
    ]


def test_moments_are_dates_and_durations_stay_numbers() -> None:
    lines = as_lines({"since": 1_000_000_000.5, "added_ms": 1_000_000_000_500, "uptime_s": 86}).splitlines()
    assert lines[0].startswith("since: 2001-09-09 ")
    assert lines[1] == lines[0].replace("since", "added")
    assert lines[2] == "uptime_s: 86"


def test_a_moment_that_is_not_known_stays_empty() -> None:
    assert as_lines({"since": None}) == "since: "
    assert as_lines({"certificate_expires": 0}) == "certificate_expires: "


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("written_anew_ms", 1_000_000_000_500),
        ("compared_ms", 1_000_000_000_500),
        ("witnessed_s", 1_000_000_000),
        ("newest_ms", 1_000_000_000_500),
        ("certificate_issued", 1_000_000_000),
        ("certificate_expires", 1_000_000_000),
    ],
)
def test_no_moment_of_the_status_stays_a_number(name: str, value: int) -> None:
    assert as_lines({name: value}).startswith(f"{name.removesuffix('_ms').removesuffix('_s')}: 2001-09-09 ")
