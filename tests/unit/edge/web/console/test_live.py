"""What a page asks for by itself is a route that keeps nobody logged in."""

from __future__ import annotations

import re
from pathlib import Path

import edge.web.console
from edge.web.console.rules import RULES

TEMPLATES = Path(edge.web.console.__file__).parent / "templates"
EVERY = re.compile(r"<[^>]*hx-trigger=\"[^\"]*every[^\"]*\"[^>]*>")
LIVE = {rule.path for rule in RULES if rule.live}


def asked() -> list[str]:
    return [
        tag for path in TEMPLATES.glob("*.html") for tag in EVERY.findall(path.read_text(encoding="utf-8"))
    ]


def test_what_refreshes_itself_asks_for_live_routes_only() -> None:
    tags = asked()
    assert len(tags) > 4
    for tag in tags:
        (address,) = re.findall(r'hx-get="([^"]*)"', tag)
        counts = "place.count" in address  # the small number in the navigation
        assert counts or re.search(r"/live(\{\{|$)", address), tag
        assert not re.search("hx-(post|put|patch|delete)", tag)


def test_the_routes_that_they_ask_only_look() -> None:
    assert {rule.path for rule in RULES if rule.path.endswith(("/live", "/count"))} == LIVE
    assert {rule.method for rule in RULES if rule.live} == {"GET"}
