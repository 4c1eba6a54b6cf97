"""What there is of a person in the site's file, and taking it away. Functions of the database, without a clock.

The tables themselves say which rows are whose (`edge.store.subject_rows`), so that a new table is forgotten from its
first day. A test fails for a column that stands for a person, or holds their words, in a table that does not say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from sqlite_utils import Database

from edge.store.schema.tags import Named, Whose
from edge.store.subject_rows import ABOUT_PEOPLE, Person, subject_of
from edge.store.subjects import SESSION, TICKET, SubjectDigests, SubjectKey, of_session, of_ticket

ALWAYS: Final = 2**62
"""A time in milliseconds after every other: whatever there is."""

UNLINKED: Final = {
    "lan_uses": "session = ''",
    "text_uses": "session = '', label = '', envelope = '', salt = x''",
    # The proof that somebody agreed stays, for as long as it may be asked for; who it was does not.
    "consents": "digest = x''",
}
"""Tables whose rows stay, about no one: what they lose, as SQL."""

_TIMES: Final = ("created_ms", "at_ms")


def whose(db: Database, name: str) -> str:
    """The person whom `name` stands for: a conversation "session:ID" and a ticket "ticket:NUMBER" are somebody's.

    A name that nothing is known of stands for itself.
    """
    for prefix in (SESSION, TICKET):
        if name.startswith(prefix):
            return subject_of(db, name.removeprefix(prefix)) or name
    return name


def keys_of(db: Database, subject: str, until_ms: int = ALWAYS) -> list[str]:
    """Under which names the keys of a person are: their own, their conversations', their tickets'."""
    values = _values(subject, b"", until_ms)
    sessions = _column(db, f"SELECT id FROM sessions WHERE {_condition('sessions')}", values)  # noqa: S608 - ours
    tickets = _column(db, f"SELECT ticket FROM handoffs WHERE {_condition('handoffs')}", values)  # noqa: S608 - ours
    return list(dict.fromkeys([subject, *map(of_session, sessions), *map(of_ticket, tickets)]))


def count_rows(db: Database, subject: str, digest: bytes, until_ms: int = ALWAYS) -> dict[str, int]:
    """How many rows `forget_rows` would take away or unlink, by table."""
    values = _values(subject, digest, until_ms)
    query = "SELECT count(*) FROM {} WHERE {}"
    return {
        table: int(db.execute(query.format(table, _condition(table)), values).fetchone()[0])
        for table in _CHILDREN_FIRST
    }


def forget_rows(db: Database, subject: str, digest: bytes = b"", until_ms: int = ALWAYS) -> dict[str, int]:
    """Take away what there is of a person up to `until_ms`: rows that went or were unlinked, by table.

    `digest`: of the person, to unlink the proofs of their consent as well; b"" leaves them.
    """
    return _take(db, _CHILDREN_FIRST, _values(subject, digest, until_ms))


def forget_conversation(db: Database, session: str) -> None:
    """Take away one conversation. Its tickets stay, without it."""
    db.execute("UPDATE handoffs SET session = '' WHERE session = ?", [session])
    _take(db, _OF_CONVERSATIONS, {"session": session, "until_ms": ALWAYS}, one_conversation=True)
    _take(db, ("subjects",), _values(of_session(session), b"", ALWAYS))


def forget_listed(db: Database, listed: Mapping[bytes, int], digests: SubjectDigests) -> dict[str, int]:
    """Take away everybody who is on the list of erasures, up to their time: as `forget_rows`, together.

    `listed`: the digest of each with the time of the erasure in milliseconds. What a person left after it stays.
    """
    counts: Counter[str] = Counter()
    for name in _names(db):
        until_ms = listed.get(digests.of(name))
        if until_ms is not None:
            subject = whose(db, name)
            counts.update(forget_rows(db, subject, digests.of(subject), until_ms))
    for digest, until_ms in listed.items():  # a proof of consent knows nobody's name
        counts.update(_take(db, ("consents",), _values("", digest, until_ms)))
    return dict(counts)


def keys_listed(db: Database, listed: Mapping[bytes, int], digests: SubjectDigests) -> list[tuple[str, int]]:
    """Names of the keys of everybody who is on the list, each with its time."""
    found = [(name, listed.get(digests.of(name))) for name in _names(db)]
    return [
        (key, until_ms)
        for name, until_ms in found
        if until_ms is not None
        for key in keys_of(db, whose(db, name), until_ms)
    ]


def forget_unreadable(db: Database, key_of: Callable[[str], SubjectKey | None]) -> int:
    """Take away conversations and tickets that nobody can read any more; how many.

    Their key is gone, or it is another one: a person whose conversations had all ended came again.
    """
    gone = 0
    for number in _column(db, "SELECT ticket FROM handoffs"):
        if key_of(of_ticket(number)) is None:
            gone += 1
            _forget_ticket(db, number)
    for subject in _column(db, "SELECT subject FROM sessions UNION SELECT id FROM subjects"):
        key = key_of(subject)
        for session in _column(db, "SELECT id FROM sessions WHERE subject = ?", [subject]):
            if key is None or not _opens(db, key, session):
                gone += 1
                forget_conversation(db, session)
        if key is None:
            _take(db, ("subjects",), _values(subject, b"", ALWAYS))
    return gone


def _opens(db: Database, key: SubjectKey, session: str) -> bool:
    """Whether what was said in a conversation can be read with `key`; where nothing was said, it can."""
    turn = db.execute("SELECT id, body FROM turns WHERE session = ? LIMIT 1", [session]).fetchone()
    try:
        return turn is None or bool(key.open("turns", turn[0], "body", bytes(turn[1])))
    except InvalidTag:
        return False


def _forget_ticket(db: Database, number: str) -> None:
    for table in ("messages", "notifications", "handoffs"):
        db.execute(f"DELETE FROM {table} WHERE ticket = ?", [number])  # noqa: S608 - ours


def _take(
    db: Database, tables: Iterable[str], values: dict[str, object], *, one_conversation: bool = False
) -> dict[str, int]:
    """Take rows away, or unlink them, table by table; how many of each."""
    return {
        table: db.execute(
            f"UPDATE {table} SET {UNLINKED[table]} WHERE {_condition(table, one_conversation)}"  # noqa: S608 - ours
            if table in UNLINKED
            else f"DELETE FROM {table} WHERE {_condition(table, one_conversation)}",  # noqa: S608 - ours
            values,
        ).rowcount
        for table in tables
    }


def _condition(table: str, one_conversation: bool = False) -> str:
    """SQL that holds for a person's rows up to `:until_ms`, with `_values`; or for those of conversation `:session`."""
    if one_conversation and table == "sessions":
        return "id = :session"
    described = ABOUT_PEOPLE[table]
    ways = " OR ".join(_way(way, one_conversation) for way in described.whose)
    if all(
        way.by in ABOUT_PEOPLE for way in described.whose
    ):  # these go with what they belong to, as a whole
        return f"({ways})"
    (time,) = (column for column in described.columns if column in _TIMES)
    return f"({ways}) AND {time} <= :until_ms"


def _way(way: Whose, one_conversation: bool) -> str:
    if way.by in set(Named):
        return f"{way.column} = :{way.by}"
    key = next(iter(ABOUT_PEOPLE[way.by].columns))
    return f"{way.column} IN (SELECT {key} FROM {way.by} WHERE {_condition(way.by, one_conversation)})"  # noqa: S608 - ours


def _depth(table: str) -> int:
    """How many tables lie between a table and the name of its person."""
    return max((1 + _depth(way.by) for way in ABOUT_PEOPLE[table].whose if way.by in ABOUT_PEOPLE), default=0)


def _of_conversation(table: str) -> bool:
    """Whether rows are found through their conversation and in no other way."""
    ways = ABOUT_PEOPLE[table].whose
    return table == "sessions" or all(way.by in ABOUT_PEOPLE and _of_conversation(way.by) for way in ways)


def _names(db: Database) -> list[str]:
    """Every name by which the file knows somebody."""
    return [
        *_column(
            db,
            "SELECT id FROM subjects UNION SELECT subject FROM sessions UNION SELECT subject FROM handoffs",
        ),
        *map(of_session, _column(db, "SELECT id FROM sessions")),
        *map(of_ticket, _column(db, "SELECT ticket FROM handoffs")),
    ]


def _column(db: Database, query: str, values: Sequence[object] | dict[str, object] = ()) -> list[str]:
    return [row[0] for row in db.execute(query, values).fetchall() if row[0]]


def _values(subject: str, digest: bytes, until_ms: int) -> dict[str, object]:
    """Of a condition's parameters; None is equal to nothing."""
    values = Person(subject, digest).values()
    return {**{name: value or None for name, value in values.items()}, "until_ms": until_ms}


_CHILDREN_FIRST: Final = sorted(ABOUT_PEOPLE, key=_depth, reverse=True)
_OF_CONVERSATIONS: Final = [table for table in _CHILDREN_FIRST if _of_conversation(table)]
