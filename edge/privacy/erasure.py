"""Erasing a person: what is theirs becomes unreadable first, then goes, and a signed receipt says so.

The first durable step shreds the keys and puts the person on the list of erasures, in one transaction: before it
nothing has happened, and from it on there is no way back. A node that is stopped behind it finishes at its next start,
before it answers anybody; what failed behind it (a full disk) is finished within the hour, or before whatever is asked
next. A restored backup goes through `replay`, also before it opens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from sqlite_utils import Database

from core.version import VERSION
from edge.privacy import erasure_drafts, forgetting, holds, receipts
from edge.privacy.erasure_drafts import Draft
from edge.privacy.forgetting import forget_listed, forget_rows, keys_of, whose
from edge.privacy.holds import Hold, LegalHold
from edge.privacy.people import People
from edge.privacy.receipts import Kind, Receipt
from edge.privacy.written_down import written_down
from edge.store import audit
from edge.store.store import Store
from edge.store.subjects import SESSION, TICKET, SubjectDigests, label_of, load_key

__all__ = ["Erased", "Erasure", "Released", "forget_rows", "replay"]

log = logging.getLogger(__name__)

LISTED_MAX: Final = 500
"""Erasures that are shown, the newest."""

FINISH_EVERY_S: Final = 3600.0
"""What failed on its way, a full disk, is tried again within the hour."""

KeysFile = Mapping[str, object]
"""One backup and what became of the file of keys beside it: {"backup": id, "made_ms": …, "keys_file": "rewritten"}."""


class Conversations(Protocol):
    """Whoever holds conversations in memory."""

    def closed(self, subject: str) -> AbstractAsyncContextManager[int]:
        """Nobody speaks for `subject` meanwhile; how many conversations that ended."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is forgotten beside the store.

    caches      each empties something in memory that cannot be told apart by person
    rows        in the transaction that takes the rows away
    keys_files  writes the files of keys beside the backups anew; which it reached
    """

    caches: Sequence[Callable[[], None]] = ()
    rows: Callable[[Database], None] = lambda _: None
    keys_files: Callable[[], Awaitable[Sequence[KeysFile]]] | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A hold that is no more. `receipt`: of the erasure that waited for it."""

    hold: Hold
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Erased:
    """One row of the list of erasures. `receipt`: None until all of it is done."""

    digest: bytes
    erased_ms: int
    receipt: Receipt | None


class Erasure:
    """Erases people, and keeps those who must stay. Used from one event loop."""

    def __init__(self, store: Store, site: str, conversations: Conversations, beside: Beside) -> None:
        """`site`: its name, for the receipt."""
        self._store = store
        self._site = site
        self._conversations = conversations
        self._beside = beside
        self._people = People(store, site)
        # One at a time: what is on its way is not taken for something that has failed.
        self._alone = asyncio.Lock()

    async def erase(self, name: str, actor: str) -> Receipt:
        """Forget whom `name` stands for. Raises LegalHold, which notes that it was asked for.

        Somebody of whom nothing is known is put on the list all the same: a backup may know them.
        """
        async with self._alone:
            subject = await self._whom(name)
            earlier = await self._finish_earlier(subject)
            async with written_down(self._store, actor, "privacy.erase", subject):
                if earlier is not None:
                    return earlier
                await self._refuse_held(subject)
                return await self._erase(subject, _now_ms())

    async def hold(self, name: str, reference: str, actor: str) -> Hold:
        """Keep the data of whom `name` stands for. Raises HeldAlready, TooManyHolds."""
        subject = await self._whom(name)
        hold = Hold(subject, reference, actor, _now_ms(), None)
        async with written_down(self._store, actor, "privacy.hold", subject):
            placed = await self._store.write_keys(partial(holds.place, hold=hold))
            await self._rewrite_keys_files()
            return placed

    async def release(self, name: str, actor: str) -> Released:
        """Keep it no longer; an erasure that was asked for meanwhile is carried out now. Raises NoSuchHold."""
        async with self._alone:
            subject = await self._whom(name)
            await self._finish()
            async with written_down(self._store, actor, "privacy.release", subject):
                hold = await self._store.read_keys(partial(holds.find, subject=subject))
                if hold is None or hold.erasure_asked_ms is None:
                    released = await self._store.write_keys(partial(holds.release, subject=subject))
                    await self._rewrite_keys_files()
                    return Released(released, None)
                # In one step with the release: whoever asked must not have to ask again.
                async with written_down(self._store, actor, "privacy.erase", subject):
                    return Released(hold, await self._erase(subject, hold.erasure_asked_ms, release=True))

    async def holds(self) -> list[Hold]:
        """All holds, oldest first."""
        return await self._store.read_keys(holds.listing)

    async def erasures(self) -> list[Erased]:
        """The list, newest first."""
        return await self._store.read_keys(_erasures)

    async def finish(self) -> int:
        """Finish what a stop of the node or an error interrupted; how many erasures that were."""
        async with self._alone:
            return len(await self._finish())

    async def _finish_earlier(self, subject: str) -> Receipt | None:
        """Finish those of others; the receipt of one that was this person's, under a name that no row knows any more.

        Their own is finished by the one that comes now (`_begin`).
        """
        names = (subject, f"{SESSION}{subject}", f"{TICKET}{subject.upper()}")
        own, *_ = digests = [self._store.digests.of(name).hex() for name in names]
        finished = await self._finish(but=bytes.fromhex(own))
        found = [receipt for names, receipt in finished if not names.isdisjoint(digests)]
        return found[0] if found else None

    async def _finish(self, but: bytes = b"") -> list[tuple[frozenset[str], Receipt]]:
        """All that has begun, but for the person with this digest; under which names each was known, its receipt."""
        begun = await self._store.read_keys(partial(_unfinished, digests=self._store.digests))
        drafts = [draft for draft in begun if draft.digest != but]
        if not drafts:
            return []
        listed = {draft.digest: draft.erased_ms for draft in drafts}
        digests = self._store.digests

        def take(db: Database) -> list[tuple[str, int]]:
            keys = forgetting.keys_listed(db, listed, digests)
            forget_listed(db, listed, digests)
            self._beside.rows(db)
            for digest in listed:
                audit.append(db, "node", "privacy.erase", label_of(digest))
            return keys

        keys = await self._store.write(take)
        await self._store.write_keys(partial(_shred, names=keys))
        finished = [(erasure_drafts.known_as(draft.facts), await self._finished(draft)) for draft in drafts]
        log.warning("erasures that were interrupted are finished", extra={"erasures": len(drafts)})
        return finished

    async def _whom(self, name: str) -> str:
        """A conversation and a ticket are somebody's, with the beginning of such a name or without."""
        if ":" in name:
            return await self._store.read(partial(whose, name=name))
        return (await self._people.find(name)).subject

    async def _erase(self, subject: str, asked_ms: int, *, release: bool = False) -> Receipt:
        digest = self._store.digests.of(subject)
        async with self._conversations.closed(subject) as ended:
            counts, names = await self._store.read(
                lambda db: (forgetting.count_rows(db, subject, digest), keys_of(db, subject))
            )
            known_as = [self._store.digests.of(name).hex() for name in names]
            facts = {**self._facts(digest, asked_ms, ended), erasure_drafts.KNOWN_AS: known_as}
            begin = partial(_begin, subject=subject, names=names, facts=facts, counts=counts, release=release)
            draft = await self._store.write_keys(begin)
            if draft is None:
                raise await self._refused(subject)
            return await self._finished(await self._take_rows(subject, draft))

    async def _take_rows(self, subject: str, draft: Draft) -> Draft:
        """Behind the point of no return: the rows, and keys of tickets that were made in the last moment."""

        def take(db: Database) -> tuple[dict[str, int], list[str]]:
            names = keys_of(db, subject)
            counts = forget_rows(db, subject, draft.digest)
            self._beside.rows(db)
            return counts, names

        counts, names = await self._store.write(take)
        await self._store.write_keys(partial(_shred, names=[(name, forgetting.ALWAYS) for name in names]))
        return Draft(draft.digest, draft.erased_ms, erasure_drafts.counted(draft.facts, counts))

    async def _finished(self, draft: Draft) -> Receipt:
        """Caches, logs, the keys beside backups; then the receipt."""
        for empty in self._beside.caches:
            empty()
        files = await self._rewrite_keys_files()
        emptied = await self._store.tidy(all_pages=False)
        told = {"logs_emptied": emptied, "backups": [dict(file) for file in files], "finished_ms": _now_ms()}
        facts = {name: value for name, value in draft.facts.items() if name != erasure_drafts.KNOWN_AS}
        receipt = receipts.signed(Kind.ERASURE, {**facts, **told}, self._store.keys.receipts)
        await self._store.write_keys(
            partial(erasure_drafts.save, draft=Draft(draft.digest, draft.erased_ms, receipt))
        )
        return receipt

    async def _rewrite_keys_files(self) -> Sequence[KeysFile]:
        """So that a restore on another machine knows of it."""
        return await self._beside.keys_files() if self._beside.keys_files else []

    def _facts(self, digest: bytes, asked_ms: int, ended: int) -> dict[str, object]:
        return {
            "site": self._site,
            "software": f"postern {VERSION}",
            "subject": digest.hex(),
            "asked_ms": asked_ms,
            "conversations_ended": ended,
        }

    async def _refuse_held(self, subject: str) -> None:
        """Raises LegalHold."""
        if await self._store.read_keys(partial(holds.find, subject=subject)) is not None:
            raise await self._refused(subject)

    async def _refused(self, subject: str) -> LegalHold:
        await self._store.write_keys(partial(holds.note_asked, subject=subject, at_ms=_now_ms()))
        await self._rewrite_keys_files()
        return LegalHold("It is noted, and will be erased when the hold is released.")


def replay(site_db: Database, keys_db: Database, digests: SubjectDigests) -> int:
    """Before a restored site opens: take away again what was erased, and what nobody can read; rows that went.

    The list of erasures and the holds are those of `keys_db`. What a person left after their erasure stays.
    """
    listed = _listed(keys_db, digests)
    with _transaction(keys_db):
        _shred(keys_db, forgetting.keys_listed(site_db, listed, digests))
        _shred(keys_db, _keys_listed(keys_db, listed, digests))
    with _transaction(site_db):
        gone = sum(forget_listed(site_db, listed, digests).values())
        return gone + forgetting.forget_unreadable(site_db, partial(load_key, keys_db))


# --- the file of keys ---


def _begin(
    keys: Database,
    subject: str,
    names: Sequence[str],
    facts: Mapping[str, object],
    counts: Mapping[str, int],
    release: bool,
) -> Draft | None:
    """The point of no return: the keys are gone, and the person is on the list. None where a hold forbids it."""
    if release:
        keys.execute("DELETE FROM holds WHERE subject = ?", [subject])
    if holds.find(keys, subject) is not None:
        return None
    shredded = _shred(keys, [(name, forgetting.ALWAYS) for name in names])
    digest, erased_ms = bytes.fromhex(str(facts["subject"])), _now_ms()
    told = erasure_drafts.counted({**facts, "erased_ms": erased_ms, "keys_shredded": shredded}, counts)
    # One that failed on its way is finished by this one, and its receipt tells of both.
    for draft in erasure_drafts.drafts(keys):
        if draft.digest == digest:
            told = erasure_drafts.with_earlier(told, draft.facts)
            keys.execute("DELETE FROM erasures WHERE digest = ? AND erased_ms = ?", [digest, draft.erased_ms])
    draft = Draft(digest, erased_ms, told)
    erasure_drafts.save(keys, draft)
    return draft


def _erasures(keys: Database) -> list[Erased]:
    rows = keys.execute(
        "SELECT digest, erased_ms, receipt FROM erasures ORDER BY erased_ms DESC LIMIT ?", [LISTED_MAX]
    )
    found = [(bytes(digest), erased_ms, json.loads(receipt)) for digest, erased_ms, receipt in rows]
    return [Erased(digest, at, told if receipts.is_signed(told) else None) for digest, at, told in found]


def _unfinished(keys: Database, digests: SubjectDigests) -> list[Draft]:
    """Erasures that have begun and can be finished."""
    held, begun = _held_since(keys, digests), erasure_drafts.drafts(keys)
    return [draft for draft in begun if draft.erased_ms <= held.get(draft.digest, forgetting.ALWAYS)]


def _listed(keys: Database, digests: SubjectDigests) -> dict[bytes, int]:
    """Everybody who was erased, and when for the last time."""
    held = _held_since(keys, digests)
    rows = keys.execute("SELECT digest, erased_ms FROM erasures ORDER BY erased_ms").fetchall()
    erased = [(bytes(digest), erased_ms) for digest, erased_ms in rows]
    return {digest: at_ms for digest, at_ms in erased if at_ms <= held.get(digest, forgetting.ALWAYS)}


def _held_since(keys: Database, digests: SubjectDigests) -> dict[bytes, int]:
    """Since when whoever is held is held. The hold wins over an erasure that is dated later.

    Nobody is erased under a hold, so it came after: the date is of a clock that ran ahead, by which what the person has
    left since looks older.
    """
    return {digests.of(hold.subject): hold.placed_ms for hold in holds.listing(keys)}


def _shred(keys: Database, names: Iterable[tuple[str, int]]) -> int:
    """Each key that was made up to its time; how many there were."""
    return sum(
        keys.execute("DELETE FROM subject_keys WHERE subject = ? AND created_ms <= ?", [*name]).rowcount
        for name in names
    )


def _keys_listed(
    keys: Database, listed: Mapping[bytes, int], digests: SubjectDigests
) -> list[tuple[str, int]]:
    """Keys of people who are on the list, each with its time."""
    if not listed:
        return []
    names = [row[0] for row in keys.execute("SELECT subject FROM subject_keys")]
    digested = [(name, digests.of(name)) for name in names]
    return [(name, listed[digest]) for name, digest in digested if digest in listed]


@contextmanager
def _transaction(db: Database) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
