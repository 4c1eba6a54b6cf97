"""The bar: what each role sees, where one is, and parts of a page."""

from __future__ import annotations

import pytest

from edge.web.console.navigation import NAVIGATION, Place, bar
from edge.web.console.rules import RULES

EVERYTHING = frozenset({"technician", "desk", "data-protection"})
OFFICER = frozenset({"data-protection"})
PLACES = (
    Place("/", "Overview", "overview.view"),
    Place(
        "",
        "Data protection",
        "",
        parts=(
            Place("/inbox", "Inbox", "inbox.view"),
            Place("/audit", "Audit", "audit.view"),
            Place("/privacy", "Policy", "privacy.view"),
        ),
    ),
)


def test_every_entry_leads_to_a_page() -> None:
    pages = {rule.path: rule.action for rule in RULES if rule.method == "GET"}
    places = [one for place in NAVIGATION for one in (place.parts or (place,))]
    assert [place for place in places if pages.get(place.path) != place.action] == []


@pytest.mark.parametrize(
    ("roles", "path", "parts"),
    [
        (EVERYTHING, "/inbox", ["/inbox", "/audit", "/privacy"]),
        (OFFICER, "/audit", ["/audit", "/privacy"]),
        (frozenset({"technician"}), "/privacy", ["/privacy"]),
    ],
)
def test_an_entry_with_parts_leads_to_the_first_that_one_may_see(
    roles: frozenset[str], path: str, parts: list[str]
) -> None:
    found = list(bar(roles, "/", PLACES))[1]
    assert (found.path, [part.path for part in found.parts]) == (path, parts)


def test_an_entry_without_a_part_for_somebody_is_not_there() -> None:
    assert [entry.label for entry in bar(frozenset(), "/", PLACES)] == []


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", ["page", ""]),
        ("/audit", ["", "true"]),
        ("/privacy/try", ["", "true"]),
        ("/privacyless", ["", ""]),
    ],
)
def test_where_one_is(path: str, current: list[str]) -> None:
    assert [entry.current for entry in bar(OFFICER, path, PLACES)] == current
    parts = list(bar(OFFICER, path, PLACES))[1].parts
    assert [part.current for part in parts] == [
        "page" if path == "/audit" else "",
        "true" if path == "/privacy/try" else "",
    ]
