"""A person's export as something to read: one page with nothing beside it, and lines for a terminal. Pure.

The page opens from a file, prints, grows with the reader's text size, and says of each text in which language it is,
where the conversation tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from edge.store.schema import Kind

TEMPLATES: Final = Path(__file__).parent / "templates"
_MOMENT: Final = "_ms"


@dataclass(frozen=True)
class Field:
    """A value with its name as people read it. `value`: text, a moment, or a list of lists of fields."""

    label: str
    value: Any


@dataclass(frozen=True)
class Entry:
    """A row. `language`: BCP 47, empty where nothing tells."""

    fields: tuple[Field, ...]
    language: str


@dataclass(frozen=True)
class Part:
    """A table."""

    title: str
    entries: tuple[Entry, ...]
    columns: Mapping[str, Any]
    unreadable: int


def as_page(document: Mapping[str, Any]) -> str:
    """HTML that needs nothing else."""
    data = document["data"]
    parts = _parts(data)
    return _template().render(
        document=document,
        made=_moment(document["request"]["made_ms"]),
        parts=[part for part in parts if part.entries],
        empty=[part.title for part in parts if not part.entries],
        recipients=[{**one, "last": _moment(one["last_ms"])} for one in data["recipients"]],
        notices={version: one for version, one in data["notices"].items() if one},
        label=label,
    )


def as_text(document: Mapping[str, Any]) -> str:
    """Lines for a terminal."""
    lines = [f"Subject: {document['request']['subject']}", f"Made: {_moment(document['request']['made_ms'])}"]
    for part in _parts(document["data"]):
        lines += ["", f"{part.title}: {len(part.entries) or 'nothing'}"]
        for entry in part.entries:
            lines += ["", *_lines(entry.fields, "  ")]
    return "\n".join(lines)


def label(column: str) -> str:
    """The name of a column or of a part of a value, as a person reads it."""
    return column.removesuffix(_MOMENT).replace("_", " ").capitalize()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("export.html")


def _parts(data: Mapping[str, Any]) -> list[Part]:
    languages = _Languages(data["tables"])
    return [
        Part(
            table["title"],
            tuple(
                Entry(tuple(_fields(_words_first(row, table["columns"]))), languages.of(name, row))
                for row in table["rows"]
            ),
            table["columns"],
            table["unreadable"],
        )
        for name, table in data["tables"].items()
    ]


def _words_first(row: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, before when and under which number."""
    order = sorted(row, key=lambda column: columns[column]["kind"] != Kind.CONTENT)
    return {column: row[column] for column in order}


class _Languages:
    """In which language a row's conversation is held."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        rows = {name: table["rows"] for name, table in tables.items()}
        self._locale = {row["id"]: row["locale"] for row in rows["sessions"]}
        self._turn = {row["id"]: row["session"] for row in rows["turns"]}
        self._ticket = {row["ticket"]: row["session"] for row in rows["handoffs"]}

    def of(self, name: str, row: Mapping[str, Any]) -> str:
        session = row.get("session") or self._turn.get(row.get("turn")) or self._ticket.get(row.get("ticket"))
        return str(self._locale.get(row["id"] if name == "sessions" else session, "")).replace("_", "-")


def _fields(row: Mapping[str, Any]) -> Iterator[Field]:
    """A row's values; the parts of a document in a column stand for themselves."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _fields(value)
        else:
            yield Field(label(name), _shown(name, value))


def _shown(name: str, value: object) -> Any:
    if value is None or value == "":
        return "–"
    if name.endswith(_MOMENT) and isinstance(value, int):
        return _moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            return [list(_fields(item)) for item in value]
        return ", ".join(map(str, value)) or "–"
    return str(value)


def _moment(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _lines(fields: tuple[Field, ...] | list[Field], indent: str) -> Iterator[str]:
    for one in fields:
        if isinstance(one.value, list):
            yield f"{indent}{one.label}:"
            for item in one.value:
                yield from _lines(item, indent + "  ")
        else:
            yield f"{indent}{one.label}: {one.value}"
