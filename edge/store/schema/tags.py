"""Every column of the store with its privacy tag; the tables are made from here, so no column can lack one.

A tag says what kind of data the column holds, what for, how long, and whether it belongs into a person's export
(GDPR Art. 5, 15, 30). Text of customers is sealed under the subject's own key before it reaches a column, so that
shredding the key forgets it. No I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How sensitive a column is."""

    CONTENT = "content"  # words of or for a customer, sealed under the subject's key
    PSEUDONYM = "pseudonym"  # an identifier that stands for a person
    BEHAVIOUR = "behaviour"  # what a pseudonymous person did, without words
    REDACTED = "redacted"  # a customer's words with what was found personal taken out, tied to nobody
    STAFF = "staff"  # who of the staff did what
    SITE = "site"  # the site's own documents and settings
    OPERATIONS = "operations"  # technical, about no person


class Retention(StrEnum):
    """How long a row's column stays."""

    SESSION = "session"
    DAYS_30 = "30 days"
    # Proof of a consent, for as long as somebody may ask for it (GDPR Art. 7(1)): the usual period of limitation.
    YEARS_3 = "3 years"
    # Until the conversation with staff is closed, or the site's limit for one that nobody closes.
    TICKET = "until the ticket is closed"
    # HIPAA asks for six years of documentation (45 CFR 164.316(b)(2)(i)).
    YEARS_6 = "6 years"
    UNTIL_REMOVED = "until removed"
    UNTIL_ACKNOWLEDGED = "until acknowledged"


@dataclass(frozen=True)
class Column:
    """One column: its SQL, and its privacy tag."""

    sql: str
    kind: Kind
    purpose: str
    retention: Retention
    exported: bool
    json: bool = False
    """Its text is a JSON document, sealed or not."""
    flag: bool = False
    """Its number is 1 for yes, 0 for no."""


class Named(StrEnum):
    """What in a column says whose a row is, where it is no row of another table."""

    SUBJECT = "subject"  # the subject itself
    DIGEST = "digest"  # the subject's keyed digest
    TICKET = "ticket"  # the number of a ticket that stands for its subject


@dataclass(frozen=True)
class Whose:
    """One way from a person to rows of a table: `column` holds what `by` says, or the first column of table `by`."""

    column: str
    by: str = Named.SUBJECT


@dataclass(frozen=True)
class Table:
    """One table; `indexes` belong to it. `title`: what it holds, as people say it.

    A table about people has `whose`: every way to a person's rows. What is sealed is so under its subject's key for the
    first column's value; with `sealed_by`, under the key of the ticket in that column.
    """

    columns: dict[str, Column]
    constraints: tuple[str, ...] = ()
    indexes: tuple[str, ...] = field(default=())
    title: str = ""
    whose: tuple[Whose, ...] = ()
    sealed_by: str = ""


def session(
    sql: str, kind: Kind, purpose: str, exported: bool = True, *, json: bool = False, flag: bool = False
) -> Column:
    """Kept as long as its conversation."""
    return Column(sql, kind, purpose, Retention.SESSION, exported, json, flag)


def ticket(sql: str, kind: Kind, purpose: str, exported: bool = True) -> Column:
    """Kept as long as its ticket."""
    return Column(sql, kind, purpose, Retention.TICKET, exported)


def redacted(sql: str, kind: Kind, purpose: str) -> Column:
    """Customers' words without what is personal, kept for a month."""
    return Column(sql, kind, purpose, Retention.DAYS_30, exported=False)


def staff(sql: str, purpose: str, retention: Retention = Retention.UNTIL_REMOVED) -> Column:
    """Who of the staff did what."""
    return Column(sql, Kind.STAFF, purpose, retention, exported=False)


def site(sql: str, purpose: str) -> Column:
    """The site's own."""
    return Column(sql, Kind.SITE, purpose, Retention.UNTIL_REMOVED, exported=False)


def operations(sql: str, purpose: str, retention: Retention = Retention.UNTIL_REMOVED) -> Column:
    """About no person."""
    return Column(sql, Kind.OPERATIONS, purpose, retention, exported=False)


def statements(tables: dict[str, Table]) -> list[str]:
    """The SQL that creates `tables`, in order."""
    sql: list[str] = []
    for name, table in tables.items():
        lines = [f"{column} {tag.sql}" for column, tag in table.columns.items()]
        sql.append(f"CREATE TABLE {name} ({', '.join([*lines, *table.constraints])}) STRICT")
        sql.extend(table.indexes)
    return sql
