"""Lines of JSON: in parts within bounds, empty ones passed over, a bad one named by its number and not its text."""

from __future__ import annotations

import io
import json
from contextlib import aclosing

import pytest

from edge.commands.json_lines import LINE_BYTES_MAX, LINES_AHEAD_MAX, BadLine, JsonLines, text_of
from edge.commands.scan_lines import LOGGED_EVERY_S, SILENT_S, Said

SECRET = "Zacharias"


async def read(
    data: bytes, rows_max: int = 64, bytes_max: int = 10_000
) -> tuple[list[list[str]], BadLine | None]:
    """The parts up to a bad line, and its error."""
    parts, bad = [], None
    async with aclosing(
        JsonLines(io.BytesIO(data), text_of, rows_max=rows_max, bytes_max=bytes_max).parts()
    ) as found:
        async for part in found:
            parts.append(part.items)
            assert bad is None, "something came behind a bad line"
            bad = part.bad
    return parts, bad


def line(text: str, **more: object) -> bytes:
    return json.dumps({"text": text, **more}).encode() + b"\n"


async def test_all_lines_come_in_order_and_empty_ones_are_passed_over() -> None:
    texts = [f"text {number}" for number in range(5 * LINES_AHEAD_MAX)]
    parts, bad = await read(b"\n \n".join(map(line, texts)) + b"\n\n")
    assert [text for part in parts for text in part] == texts
    assert bad is None
    assert await read(b"") == ([], None)
    assert await read(b'{"text": "the end"}') == ([["the end"]], None)


@pytest.mark.parametrize(("rows_max", "bytes_max"), [(3, 10_000), (64, 100), (1, 1)])
async def test_parts_are_bounded(rows_max: int, bytes_max: int) -> None:
    texts = ["a" * 30] * 20 + ["b" * 500, "c"]
    parts, _ = await read(b"".join(map(line, texts)), rows_max, bytes_max)
    assert [text for part in parts for text in part] == texts
    assert all(len(part) <= rows_max for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= bytes_max for part in parts)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b'{"txt": "Zacharias"}', "has no text"),
        (b'{"text": 7, "id": "Zacharias"}', "has no text"),
        (b'["Zacharias"]', "is not a JSON object"),
        (b'{"text": "Zacharias', "is not JSON"),
        (b'{"text": "Zacharias \xff"}', "is not JSON in UTF-8"),
        (b'{"text": "Zacharias \\ud800"}', "half a character"),
        (b"[" * 100_000, "is not"),
        (b'{"text": "' + b"Zacharias " * (LINE_BYTES_MAX // 10) + b'"}', "bytes"),
    ],
    ids=range(8),
)
async def test_a_bad_line_is_named_behind_the_good_ones(bad: bytes, says: str) -> None:
    parts, error = await read(line("one") + b"\n" + line("two") + bad + b"\n" + line("three"))
    assert [text for part in parts for text in part] == ["one", "two"]
    assert error
    assert error.detail.startswith("Line 4 ")
    assert says in error.detail
    assert SECRET not in error.detail + error.remedy


async def test_the_longest_line_is_read() -> None:
    head, tail = b'{"text": "', b'"}\n'
    text = "a" * (LINE_BYTES_MAX - len(head) - len(tail))
    assert await read(head + text.encode() + tail) == ([[text]], None)


def test_progress_is_told_after_a_while() -> None:
    now, target = [100.0], io.StringIO()
    said = Said(target, lambda: now[0])
    said.more(64)
    assert not target.getvalue()
    now[0] += SILENT_S
    said.more(64)
    assert target.getvalue() == "128 texts scanned, 64 a second\n"
    now[0] += LOGGED_EVERY_S - 0.5
    said.more(1)
    assert target.getvalue().count("\n") == 1
    now[0] += 0.5
    said.more(1)
    said.close()
    assert target.getvalue().count("\n") == 2
