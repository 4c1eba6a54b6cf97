"""Which rows of the store are a person's: told by the tables' own `whose`. Functions of the database, for `Store.read`.

Subjects are named as in `edge.store.subjects`: what a program passed as its user, else "session:ID", or "ticket:NUMBER"
for a ticket that is nobody's else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from edge.store.schema import TABLES, Table
from edge.store.schema.tags import Named, Whose
from edge.store.subjects import TICKET

ABOUT_PEOPLE: Final = {name: table for name, table in TABLES.items() if table.whose}


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant. `digest`: as `SubjectDigests.of`."""

    subject: str
    digest: bytes

    def values(self) -> dict[str, object]:
        """What `condition` asks for."""
        number = self.subject.removeprefix(TICKET) if self.subject.startswith(TICKET) else None
        return {Named.SUBJECT: self.subject, Named.DIGEST: self.digest, Named.TICKET: number}


def condition(table: str) -> str:
    """SQL that holds for a person's rows of `table`, with the named values of `Person.values`."""
    return " OR ".join(_way(way) for way in ABOUT_PEOPLE[table].whose)


def _way(way: Whose) -> str:
    if way.by in set(Named):
        return f"{way.column} = :{way.by}"
    key = next(iter(ABOUT_PEOPLE[way.by].columns))
    # A conversation that was forgotten leaves empty names behind, which are nobody's.
    return f"({way.column} <> '' AND {way.column} IN (SELECT {key} FROM {way.by} WHERE {condition(way.by)}))"  # noqa: S608 - names of ours


def order(table: Table) -> str:
    """Columns that put rows in the order of their time, the same whenever they are asked for."""
    times = [name for name in table.columns if name in {"created_ms", "at_ms"}]
    return ", ".join([*times, *(name for name in table.columns if name not in times)])


def count(db: Database, person: Person) -> dict[str, int]:
    """Rows by table, of every table about people."""
    return {
        name: int(
            db.execute(f"SELECT count(*) FROM {name} WHERE {condition(name)}", person.values()).fetchone()[0]  # noqa: S608 - names of ours
        )
        for name in ABOUT_PEOPLE
    }


def select(
    db: Database, person: Person, table: str, columns: list[str], rows_max: int
) -> list[dict[str, Any]]:
    """Some columns of a person's rows, oldest first; at most `rows_max`."""
    names, its_order = ", ".join(columns), order(ABOUT_PEOPLE[table])
    query = f"SELECT {names} FROM {table} WHERE {condition(table)} ORDER BY {its_order} LIMIT {rows_max}"  # noqa: S608 - names of ours
    return [dict(zip(columns, row, strict=True)) for row in db.execute(query, person.values())]


def subject_of(db: Database, text: str) -> str | None:
    """Whose conversation or ticket has this identifier; None for nobody's here."""
    found = db.execute("SELECT subject FROM sessions WHERE id = ?", [text]).fetchone()
    if found is not None:
        return str(found[0])
    number = text.upper()
    found = db.execute(
        "SELECT coalesce(nullif(handoffs.subject, ''), sessions.subject) FROM handoffs"
        " LEFT JOIN sessions ON sessions.id = handoffs.session WHERE ticket = ?",
        [number],
    ).fetchone()
    return (str(found[0]) if found[0] else f"{TICKET}{number}") if found is not None else None
