"""Scans of texts through the real programs: the command with and without a node, and the route for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.piped import answers, answers_one_by_one
from tests.running import RunningNode, command, running

pytestmark = [pytest.mark.models, pytest.mark.slow]

ROUTE = "/api/v1/privacy/scan"
SECRET = "zacharias.oldcastle@example.org"
TEXTS = (
    f"Please write to {SECRET} or call 617-555-0123.",
    "When are you open on Saturday?",
    "",
    "Grüße, 𝔘nicode \u200b and card 4111 1111 1111 1111",
    "so it was " * 900 + SECRET,
)


async def scanned(site: Path, lines: bytes, expect: int = 0) -> tuple[list[dict[str, Any]], str]:
    return await answers("privacy", "scan", "--site", str(site), lines=lines, expect=expect)


def as_lines(texts: tuple[str, ...]) -> bytes:
    lines = ({"id": f"line-{number}", "text": text} for number, text in enumerate(texts))
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def check(text: str, found: dict[str, Any]) -> None:
    """The contract of one answer."""
    assert found.keys() - {"id"} == {"entities", "label", "redacted", "complete"}
    assert found["label"] in {"public", "internal", "personal", "special"}
    rest, place = "", 0
    for one in found["entities"]:
        assert one.keys() == {"type", "start", "end", "score"}
        assert place <= one["start"] < one["end"] <= len(text)
        assert 0 < one["score"] <= 1
        rest += text[place : one["start"]] + f"[{one['type']}]"
        place = one["end"]
    assert found["redacted"] == rest + text[place:]


@pytest.mark.long
async def test_the_command_is_the_same_with_and_without_a_node(clinic: Path) -> None:
    alone, _ = await scanned(clinic, as_lines(TEXTS))
    with running(clinic):
        beside, _ = await scanned(clinic, as_lines(TEXTS))
    assert [one["id"] for one in alone] == [f"line-{number}" for number in range(len(TEXTS))]
    for text, one, other in zip(TEXTS, alone, beside, strict=True):
        check(text, one)
        assert (one["redacted"], one["label"]) == (other["redacted"], other["label"])
        assert SECRET not in one["redacted"]
    assert "4111" not in alone[3]["redacted"]


@pytest.mark.long
async def test_a_line_is_answered_before_the_next_is_written(node: RunningNode) -> None:
    lines = [json.dumps({"id": number, "text": text}).encode() + b"\n" for number, text in enumerate(TEXTS)]
    site = str(node.site)
    found = [one async for one in answers_one_by_one("privacy", "scan", "--site", site, lines=lines)]
    assert [one["id"] for one in found] == list(range(len(TEXTS)))
    for text, one in zip(TEXTS, found, strict=True):
        check(text, one)


async def test_a_bad_line_ends_it_after_the_good_ones_by_its_number(node: RunningNode) -> None:
    lines = (
        as_lines(TEXTS[:2])
        + b"\n"
        + json.dumps({"id": 3, "words": SECRET}).encode()
        + b"\n"
        + as_lines(TEXTS)
    )
    found, errors = await scanned(node.site, lines, expect=2)
    assert len(found) == 2
    assert "Line 4 has no text." in errors
    assert SECRET not in errors


async def new_key(node: RunningNode, name: str, scope: str) -> dict[str, str]:
    made = await command("api-keys", "new", name, "--site", str(node.site), "--scope", scope, "--json")
    return {"Authorization": f"Bearer {made['key']}"}


def places(told: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Without scores: in eight bits they depend a little on what else is in a pass."""
    return [(one["type"], one["start"], one["end"]) for one in told["entities"]]


async def test_the_route_answers_as_the_command_does(node: RunningNode) -> None:
    headers = await new_key(node, "scans", "privacy")
    texts = tuple(text for text in TEXTS if len(text) <= 4000)
    told, _ = await scanned(node.site, as_lines(texts))
    async with aiohttp.ClientSession(node.url, headers=headers) as http:
        for text, line in zip(texts, told, strict=True):
            async with http.post(ROUTE, json={"text": text}) as response:
                assert response.status == 200
                answered = await response.json()
            assert places(answered) == places(line)
            assert {name: answered[name] for name in ("label", "redacted", "complete")} == {
                name: line[name] for name in ("label", "redacted", "complete")
            }
        async with http.post(ROUTE, json={"text": "hello", "id": "mine"}) as response:
            assert (await response.json())["id"] == "mine"
        async with http.get("/metrics") as response:
            assert 'postern_pii_entities_total{type="EMAIL"}' in await response.text()
    assert SECRET not in (node.site / "run.log").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "a" * 4000}, 200, None),
        ({"text": "a" * 4001}, 413, "scan_text_too_long"),
        ({"text": "a" * (64 * 1024)}, 413, "body_too_large"),
        ({"words": SECRET}, 400, "bad_request"),
        ({"text": SECRET, "more": 1}, 400, "bad_request"),
        ({"text": 7}, 400, "bad_request"),
        (None, 400, "bad_request"),
    ],
    ids=["longest", "too long", "body", "no text", "unknown field", "no string", "nothing"],
)
async def test_bounds_of_the_route(node: RunningNode, body: Any, status: int, code: str | None) -> None:
    headers = await new_key(node, f"bounds-{status}-{len(str(body))}", "privacy")
    async with (
        aiohttp.ClientSession(node.url, headers=headers) as http,
        http.post(ROUTE, json=body) as response,
    ):
        found = await response.text()
        assert response.status == status
        assert json.loads(found).get("code") == code
        assert SECRET not in found


async def test_only_a_key_for_scans_opens_the_route(node: RunningNode) -> None:
    other = await new_key(node, "vectors", "embeddings")
    async with aiohttp.ClientSession(node.url) as http:
        for headers, status, code in (
            ({}, 401, "invalid_api_key"),
            ({"Authorization": "Bearer pstn_wrong"}, 401, "invalid_api_key"),
            (other, 403, "scope_missing"),
        ):
            async with http.post(ROUTE, json={"text": "hello"}, headers=headers) as response:
                assert (response.status, (await response.json())["code"]) == (status, code)
