"""Everything that the site stores about a person, as one document (GDPR Art. 15 and 20).

Which columns, what each is for and how long it stays is told by their tags, so a new column is there by itself. `data`
is the same, byte for byte as `canonical` writes it, whenever the same is stored; what differs stands in `request`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from sqlite_utils import Database

from core.errors import PosternError
from edge.store.schema import Kind, Table
from edge.store.store import Store
from edge.store.subject_rows import ABOUT_PEOPLE, Person, select
from edge.store.subjects import TICKET, SubjectKey, load_key

SCHEMA: Final = "postern.subject-export/1"

EXPORTED: Final = {
    name: [column for column, tag in table.columns.items() if tag.exported]
    for name, table in ABOUT_PEOPLE.items()
    if any(tag.exported for tag in table.columns.values())
}
"""Columns by table."""

ROWS_MAX: Final = 50_000
"""Of a table: years of one person's questions, and as much as a command's answer should hold at once."""

RIGHTS: Final = (
    ("Controller", "{site}. It runs the assistant on its own machine; this document was made there."),
    (
        "Purposes and categories",
        "To answer what you ask, to hand you over to staff when you want that, and to prove what you were told and"
        " agreed to. Each part below says of its entries what they are for, and how long they stay.",
    ),
    (
        "Where it comes from",
        "From you: what you wrote, and how you used the assistant. A program of {site} may have passed on the name"
        " under which it knows you.",
    ),
    (
        "Recipients",
        "Staff of {site}. Other machines are those listed below; what is not listed did not get your words.",
    ),
    (
        "Decisions",
        "The assistant gives information. It decides nothing about you (GDPR Art. 22), and makes no profile.",
    ),
    (
        "Your rights",
        "You may have wrong data corrected, have your data erased, have its use restricted, object to it, and take it"
        " elsewhere: the same document exists as JSON. Ask {site}. What you agreed to you may take back at any time."
        " You may complain to the data-protection authority.",
    ),
)
"""What a person is told beside the data (GDPR Art. 15(1))."""


class ExportTooLarge(PosternError):
    """More is stored about one subject than a document holds."""

    code = "export_too_large"
    title = "There is too much for one document"
    remedy = "This subject stands for many people: let the program that passes it on name each of them."
    status = 413


@dataclass
class _Opened:
    """A table's rows in clear; `unreadable`: how many sealed values have no key any more."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0


async def export(store: Store, person: Person, site: str, *, given: str, asked_by: str, at_ms: int) -> Any:
    """The document about `person`. `given`: how the person was named. Raises ExportTooLarge."""
    data = await data_of(store, person)
    digest = await asyncio.to_thread(lambda: hashlib.sha256(canonical(data)).hexdigest())
    return {
        "schema": SCHEMA,
        "request": {
            "subject": given,
            "asked_by": asked_by,
            "made_ms": at_ms,
            "data_sha256": digest,
        },
        "information": [{"heading": about, "text": text.format(site=site)} for about, text in RIGHTS],
        "data": data,
    }


def canonical(data: object) -> bytes:
    """The bytes that stand for `data` where two exports are compared."""
    # Python's own is seven times as slow, and lets nothing else run meanwhile, in whichever thread.
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


async def data_of(store: Store, person: Person) -> dict[str, Any]:
    """What is stored. Raises ExportTooLarge."""
    sealed, notices = await store.read(lambda db: _snapshot(db, person))
    tickets = {row["ticket"] for row in sealed["handoffs"]}

    def load(keys: Database) -> dict[str, SubjectKey]:
        subjects = {person.subject, *(f"{TICKET}{number}" for number in tickets)}
        return {subject: key for subject in subjects if (key := load_key(keys, subject))}

    keys = await store.read_keys(load)
    # Years of somebody's words take a second to open: customers' turns do not wait for that.
    return await asyncio.to_thread(_told, person, sealed, notices, keys)


def _snapshot(db: Database, person: Person) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """All rows as they were at one moment, still sealed, and the words of the notices that they refer to."""
    db.execute("BEGIN")
    try:
        rows = {name: _rows(db, name, person) for name in EXPORTED}
        versions = {
            row["notice_version"]
            for name in ("sessions", "consents")
            for row in rows[name]
            if row["notice_version"]
        }
        return rows, {version: _notice(db, version) for version in sorted(versions)}
    finally:
        db.execute("COMMIT")


def _rows(db: Database, name: str, person: Person) -> list[dict[str, Any]]:
    found = select(db, person, name, _needed(name), ROWS_MAX + 1)
    if len(found) > ROWS_MAX:
        raise ExportTooLarge(f"The store has more than {ROWS_MAX:,} rows of {name} about this subject.")
    return found


def _needed(name: str) -> list[str]:
    """The exported columns, and those that tell how to open them."""
    table = ABOUT_PEOPLE[name]
    opening = {next(iter(table.columns)), table.sealed_by}
    return [column for column, tag in table.columns.items() if tag.exported or column in opening]


def _notice(db: Database, version: str) -> dict[str, Any] | None:
    row = db.execute("SELECT text, first_ms FROM notices WHERE version = ?", [version]).fetchone()
    return {"text": row[0], "first_ms": row[1]} if row else None


# --- from rows to the document; nothing here reads the store ---


def _told(
    person: Person,
    sealed: Mapping[str, list[dict[str, Any]]],
    notices: Mapping[str, Any],
    keys: Mapping[str, SubjectKey],
) -> dict[str, Any]:
    opened = {name: _opened(name, rows, person, keys.get) for name, rows in sealed.items()}
    return {
        "subject": person.subject,
        "tables": {name: _table(name, found) for name, found in opened.items()},
        "recipients": recipients({name: found.rows for name, found in opened.items()}),
        "notices": dict(notices),
    }


def _opened(
    name: str, rows: list[dict[str, Any]], person: Person, key_of: Callable[[str], SubjectKey | None]
) -> _Opened:
    table, opened = ABOUT_PEOPLE[name], _Opened()
    for row in rows:
        key = key_of(f"{TICKET}{row[table.sealed_by]}" if table.sealed_by else person.subject)
        clear = {column: _clear(name, table, row, column, key) for column in EXPORTED[name]}
        opened.unreadable += sum(
            clear[column] is None and row[column] is not None and table.columns[column].kind is Kind.CONTENT
            for column in clear
        )
        opened.rows.append(clear)
    return opened


def _clear(name: str, table: Table, row: dict[str, Any], column: str, key: SubjectKey | None) -> object:
    """A value as the document has it; None for one whose key is gone."""
    value, tag = row[column], table.columns[column]
    if tag.kind is Kind.CONTENT and value is not None:
        if key is None:
            return None
        try:
            value = key.open(name, str(row[next(iter(table.columns))]), column, bytes(value)).decode()
        except InvalidTag:
            return None
    if isinstance(value, bytes):
        return value.hex()
    if tag.flag and value is not None:
        return bool(value)
    return json.loads(value) if tag.json and value else value


def _table(name: str, found: _Opened) -> dict[str, Any]:
    table = ABOUT_PEOPLE[name]
    columns = {
        column: {
            "kind": str(table.columns[column].kind),
            "purpose": table.columns[column].purpose,
            "kept": str(table.columns[column].retention),
        }
        for column in EXPORTED[name]
    }
    return {"title": table.title, "columns": columns, "rows": found.rows, "unreadable": found.unreadable}


def recipients(rows: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Who got something for this person (GDPR Art. 15(1)(c)): each once, with how often, how much and when last."""
    uses = [(f"{row['service']} at {row['host']}", row) for row in rows["lan_uses"]]
    uses += [(f"text for {row['purpose']}", row) for row in rows["text_uses"] if row["bytes"]]
    named: dict[str, list[dict[str, Any]]] = {}
    for who, row in uses:
        named.setdefault(who, []).append(row)
    return [
        {
            "recipient": who,
            "times": len(its),
            "bytes": sum(row["bytes"] for row in its),
            "last_ms": max(row["at_ms"] for row in its),
        }
        for who, its in sorted(named.items())
    ]
