"""Where a conversation's pseudonyms are kept: sealed in the store under the subject's key, row by row.

A row is bound to its site, conversation, purpose, type and place (AES-256-GCM, additional data): moved anywhere else
it does not open. Wiping the conversation shreds the key, then deletes the rows. A conversation that goes on after a
restart finds its tokens again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from sqlite_utils import Database

from core.signing import canonical_json
from edge.privacy.pseudonyms.errors import VaultDamaged
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.privacy.pseudonyms.token import Token
from edge.store import pseudonym_rows
from edge.store.pseudonym_rows import PseudonymRow
from edge.store.store import Store
from edge.store.subjects import SubjectKey

T = TypeVar("T")

# More than a node has conversations, each for two purposes; the least used is read again when it is wanted.
HELD_MAX = 4_096
_TABLE, _COLUMN = "pseudonyms", "body"


@dataclass
class _Held:
    pseudonyms: Pseudonyms
    # Entries that the store has.
    saved: int
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)


class Vault:
    """The pseudonyms of the node's conversations. Used from one event loop."""

    def __init__(self, store: Store, site: str) -> None:
        self._store = store
        self._site = site
        self._held: dict[tuple[str, str], _Held] = {}

    def holds(self, session: str, purpose: str) -> bool:
        """Whether `open` reads nothing."""
        return (session, purpose) in self._held

    async def open(
        self, session: str, key: SubjectKey, purpose: str, rows: Sequence[PseudonymRow] | None = None
    ) -> Pseudonyms:
        """A conversation's pseudonyms for a purpose, as they were left. `rows`: theirs, where they were read already.
        Raises VaultDamaged."""
        held = self._held.get((session, purpose))
        if held is None:
            if rows is None:
                rows = await self._store.read(partial(pseudonym_rows.of, session=session, purpose=purpose))
            # Somebody else may have been faster, and minted since.
            held = self._held.get((session, purpose)) or self._loaded(
                Scope(self._site, session, purpose), key, rows
            )
        self._held.pop((session, purpose), None)
        self._held[session, purpose] = held
        if len(self._held) > HELD_MAX:
            self._held.pop(next(iter(self._held)))
        return held.pseudonyms

    async def keep(self, pseudonyms: Pseudonyms, key: SubjectKey, beside: Callable[[Database], T]) -> T:
        """Make durable what was minted, in one transaction with what `beside` writes, whose result it is.

        Raises what that raises, StoreBusy, StoreClosed. Nothing is kept of a conversation that was wiped meanwhile.
        """
        scope = pseudonyms.scope
        held = self._held.get((scope.session, scope.purpose))
        if held is None or held.pseudonyms is not pseudonyms:
            return await self._store.write(beside)
        async with held.saving:
            new = enumerate(pseudonyms.entries[held.saved :], held.saved)
            rows = [_sealed(scope, key, ordinal, token) for ordinal, token in new]

            def both(db: Database) -> T:
                result = beside(db)
                if rows:
                    pseudonym_rows.insert(db, scope.session, scope.purpose, rows)
                return result

            result = await self._store.write(both)
            held.saved += len(rows)
            return result

    def forget(self, session: str) -> None:
        """Let go of a conversation that has ended."""
        for place in [place for place in self._held if place[0] == session]:
            del self._held[place]

    def _loaded(self, scope: Scope, key: SubjectKey, rows: Sequence[PseudonymRow]) -> _Held:
        tokens = [_opened(scope, key, place, row) for place, row in enumerate(rows)]
        return _Held(Pseudonyms(scope, tokens), len(tokens))


def _place(scope: Scope, type_: str, ordinal: int) -> str:
    """What a row is bound to, in one way only."""
    return canonical_json([scope.site, scope.session, scope.purpose, type_, ordinal]).decode()


def _sealed(scope: Scope, key: SubjectKey, ordinal: int, token: Token) -> PseudonymRow:
    body = json.dumps({"code": token.code, "value": token.value}).encode()
    return PseudonymRow(
        ordinal, token.type, key.seal(_TABLE, _place(scope, token.type, ordinal), _COLUMN, body)
    )


def _opened(scope: Scope, key: SubjectKey, ordinal: int, row: PseudonymRow) -> Token:
    """Raises VaultDamaged, also for a row that is missing before this one."""
    if row.ordinal != ordinal:
        raise VaultDamaged
    try:
        body = json.loads(key.open(_TABLE, _place(scope, row.type, ordinal), _COLUMN, row.body))
        return Token(row.type, body["code"], body["value"])
    except (InvalidTag, ValueError, KeyError):
        # Not from the cause: what it quotes may be a value.
        raise VaultDamaged from None
