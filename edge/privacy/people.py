"""People whose data the site has: found by what they can name, shown, exported. Each look at one is a row of audit.

Nobody needs to know how the site names them: the identifier of a conversation or the number of a ticket leads to the
same person. Rows of audit name people by a keyed digest, never in clear.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlite_utils import Database

from edge.privacy import export
from edge.privacy.written_down import written_down
from edge.store import audit, consents
from edge.store.store import Store
from edge.store.subject_rows import Person, count, select, subject_of
from edge.store.subjects import SESSION, TICKET

SEEN_MAX: Final = 200
"""Rows of audit that are shown of a person, the newest."""


TICKETS_MAX: Final = 500
"""As many as an inbox lists; a conversation has a few."""


class People:
    """What the site knows of people. `site`: its name, as documents say it."""

    def __init__(self, store: Store, site: str) -> None:
        self._store = store
        self._site = site

    async def find(self, text: str) -> Person:
        """Who is meant by a subject, the identifier of a conversation, or the number of a ticket.

        "session:ID" and "ticket:NUMBER" are identifiers, too: whoever erases one erases its person. A name of which
        nothing is known stands for itself.
        """
        identifier = text.removeprefix(SESSION).removeprefix(TICKET)
        if identifier == text and await self._store.read(lambda db: _has_rows(db, self._person(text))):
            return self._person(text)
        whose = await self._store.read(lambda db: subject_of(db, identifier))
        if whose is not None:
            return self._person(whose)
        return self._person(await self._kept_under([text, f"{SESSION}{text}", f"{TICKET}{text.upper()}"]))

    async def _kept_under(self, names: Sequence[str]) -> str:
        """The first of the names that a proof of consent, a key, a hold or an erasure has; else the first."""
        people = [self._person(name) for name in names]
        rows = await self._store.read(lambda db: [_has_rows(db, person) for person in people])
        kept = await self._store.read_keys(lambda keys: [_is_kept(keys, person) for person in people])
        return next((names[at] for at in range(len(names)) if rows[at] or kept[at]), names[0])

    async def show(self, text: str, actor: str) -> dict[str, Any]:
        """What is stored of somebody, without a word of it: counts, hold, consents, erasures, and who looked."""
        person = await self.find(text)
        label = self._store.digests.label(person.subject)
        await self._store.write(lambda db: audit.append(db, actor, "privacy.subject", label))
        stored = await self._store.read(lambda db: _stored(db, person, label))
        kept = await self._store.read_keys(lambda keys: _kept(keys, person))
        found = any(stored["counts"].values()) or kept["hold"] is not None or bool(kept["erasures"])
        return {"subject": person.subject, "label": label, "given": text, "found": found, **stored, **kept}

    async def export(self, text: str, actor: str) -> Any:
        """The document of `edge.privacy.export`. Raises ExportTooLarge."""
        person = await self.find(text)
        at_ms = time.time_ns() // 1_000_000
        async with written_down(self._store, actor, "privacy.export", person.subject):
            asked_by = await self._store.read(lambda db: _shown(db, actor)) or f"staff of {self._site}"
            return await export.export(
                self._store, person, self._site, given=text, asked_by=asked_by, at_ms=at_ms
            )

    async def consents(self, text: str, actor: str) -> list[dict[str, Any]]:
        """What somebody was told and agreed to, oldest first."""
        person = await self.find(text)
        label = self._store.digests.label(person.subject)
        await self._store.write(lambda db: audit.append(db, actor, "privacy.consents", label))
        return await self._store.read(lambda db: _consents(db, person))

    def _person(self, subject: str) -> Person:
        return Person(subject, self._store.digests.of(subject))


def _has_rows(db: Database, person: Person) -> bool:
    return any(count(db, person).values())


def _is_kept(keys: Database, person: Person) -> bool:
    """Whether the file of keys knows this name: a key, a hold, an erasure."""
    found = keys.execute(
        "SELECT EXISTS (SELECT 1 FROM subject_keys WHERE subject = :subject)"
        " OR EXISTS (SELECT 1 FROM holds WHERE subject = :subject)"
        " OR EXISTS (SELECT 1 FROM erasures WHERE digest = :digest)",
        person.values(),
    ).fetchone()
    return bool(found[0])


def _stored(db: Database, person: Person, label: str) -> dict[str, Any]:
    numbers = [row["ticket"] for row in select(db, person, "handoffs", ["ticket"], TICKETS_MAX)]
    return {
        "counts": count(db, person),
        "tickets": numbers,
        "consents": _consents(db, person),
        "seen": [asdict(row) for row in audit.of_subject(db, label, numbers, SEEN_MAX)],
    }


def _consents(db: Database, person: Person) -> list[dict[str, Any]]:
    return [asdict(one) for one in consents.of(db, person.digest)]


def _kept(keys: Database, person: Person) -> dict[str, Any]:
    hold = keys.execute(
        "SELECT reference, placed_by, placed_ms, erasure_asked_ms FROM holds WHERE subject = ?",
        [person.subject],
    ).fetchone()
    erasures = keys.execute(
        "SELECT erased_ms, receipt FROM erasures WHERE digest = ? ORDER BY erased_ms", [person.digest]
    )
    return {
        "hold": dict(zip(("reference", "placed_by", "placed_ms", "erasure_asked_ms"), hold, strict=True))
        if hold
        else None,
        "erasures": [
            {"erased_ms": erased_ms, "receipt": json.loads(receipt)} for erased_ms, receipt in erasures
        ],
    }


def _shown(db: Database, actor: str) -> str:
    """The first name under which people know somebody of the staff; empty where there is none."""
    row = db.execute("SELECT display_name FROM operators WHERE name = ?", [actor]).fetchone()
    return (str(row[0]).split() or [""])[0] if row else ""
