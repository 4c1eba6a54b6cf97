"""What whoever has a site's files and all of its keys can read: every value of every table, sealed ones opened.

For tests of forgetting: an encrypted file says nothing byte by byte, so what it holds is looked at from inside.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from sqlite_utils import Database

from edge.config import SitePaths
from edge.keys import SiteKeys
from edge.store.connection import connect_to_read
from edge.store.schema import KEY_TABLES, TABLES, Kind
from edge.store.subjects import SubjectKey
from tests.canaries import Hit, found_in


def values(paths: SitePaths) -> Iterator[tuple[str, bytes]]:
    """Every value as (table.column, its bytes). The site may run."""
    opened = SiteKeys.open(paths)
    keys = connect_to_read(paths.subject_keys, opened.subjects)
    site = connect_to_read(paths.store, opened.store)
    try:
        people = [
            SubjectKey(name, bytes(key))
            for name, key in keys.execute("SELECT subject, key FROM subject_keys")
        ]
        yield from _of_file(keys, list(KEY_TABLES), [])
        yield from _of_file(site, list(TABLES), people)
    finally:
        keys.conn.close()
        site.conn.close()


def found_within(paths: SitePaths, name: str = "") -> list[Hit]:
    """Canaries that can be read in the site's stores."""
    where = name or str(paths.root)
    return [
        Hit(f"{where}: {column}", at, form) for column, value in values(paths) for at, form in found_in(value)
    ]


def _of_file(db: Database, tables: list[str], people: list[SubjectKey]) -> Iterator[tuple[str, bytes]]:
    for table in tables:
        columns = [column.name for column in db[table].columns]
        for row in db.execute(f"SELECT * FROM {table}").fetchall():
            for column, value in zip(columns, row, strict=True):
                plain = value if isinstance(value, bytes) else str(value).encode()
                yield f"{table}.{column}", plain
                if value is not None and _is_sealed(table, column):
                    yield from (
                        (f"{table}.{column}", text)
                        for text in _opened(people, table, str(row[0]), column, plain)
                    )


def _is_sealed(table: str, column: str) -> bool:
    return table in TABLES and TABLES[table].columns[column].kind is Kind.CONTENT


def _opened(people: list[SubjectKey], table: str, row: str, column: str, sealed: bytes) -> Iterator[bytes]:
    """With whichever key fits."""
    for key in people:
        try:
            yield key.open(table, row, column, sealed)
        except InvalidTag:
            continue
