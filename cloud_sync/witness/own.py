"""A witness that a customer runs on a machine of their own: the same rules, for the logs that they told it of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.store.database import Database, create_store_key, open_database
from cloud_sync.store.migrate import migrate
from cloud_sync.store.witnessed import LogRow, RefusalRow, add_log, get_log, logs_of, newest_refusals
from cloud_sync.witness.memory import judge, note_refusal
from cloud_sync.witness.notes import ED25519, MalformedNote, read_vkey
from cloud_sync.witness.proofs import EMPTY_ROOT
from cloud_sync.witness.request import read_request
from cloud_sync.witness.rules import Conflict, Cosign, Decision, Reason, Refusal, origin_of
from cloud_sync.witness.signing import WitnessKey, create_witness_key, load_witness_key
from core.errors import ConfigError
from core.files import private_folder

NO_NODE = ""
REFUSALS_SHOWN_MAX = 200


@dataclass(frozen=True)
class Answer:
    """What became of a submission."""

    decision: Decision
    line: str = ""
    """The cosignature, where it was signed."""
    size: int = 0
    """Of the longest tree of this log that was signed."""


class OwnWitness:
    """Takes what logs submit; who may submit is said by the log's signature alone."""

    def __init__(self, database: Database, key: WitnessKey, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._key = key
        self._clock = clock

    async def add_log(self, vkey: str) -> str:
        """Trust a log's key from now on; its name. Raises ConfigError."""
        try:
            key = read_vkey(vkey)
        except MalformedNote as error:
            raise ConfigError(f"This is no log's key: {error}", remedy=_VKEY_REMEDY) from None
        if key.kind != ED25519:
            raise ConfigError("This is a witness's key, not a log's.", remedy=_VKEY_REMEDY)
        row = LogRow(key.name, NO_NODE, key.key, 0, EMPTY_ROOT, self._clock())
        if not await self._database.run(lambda connection: add_log(connection, row)):
            raise ConfigError(f"{key.name} is known here.", remedy="Nothing is to be done.")
        return key.name

    async def submit(self, body: bytes) -> Answer:
        """Sign a checkpoint, or say why not. Raises StoreBusy, StoreUnavailable."""
        try:
            submitted = read_request(body)
        except MalformedNote:
            return Answer(Refusal(Reason.MALFORMED))
        now = self._clock()

        def write(connection: sa.Connection) -> tuple[Decision, int]:
            known = get_log(connection, origin_of(submitted.note) or "")
            decision = judge(connection, known, submitted, now)
            if isinstance(decision, Refusal):
                note_refusal(connection, NO_NODE, known, submitted, decision, now)
            return decision, known.size if known else 0

        decision, size = await self._database.run(write)
        if isinstance(decision, Cosign):
            return Answer(decision, self._key.cosign(decision.text, now), decision.checkpoint.size)
        return Answer(decision, size=decision.size if isinstance(decision, Conflict) else size)

    async def logs(self) -> tuple[tuple[LogRow, ...], tuple[RefusalRow, ...]]:
        """What is known, and what was refused, the newest first."""
        return await self._database.run(
            lambda connection: (
                logs_of(connection, NO_NODE),
                newest_refusals(connection, NO_NODE, REFUSALS_SHOWN_MAX),
            )
        )


_VKEY_REMEDY = "Copy what `postern ledger key` shows at the node, in quotes."


def create_key(paths: CloudPaths) -> None:
    """A new key: of a control plane that has none, or of a folder that is one for a customer's witness from now on.

    Raises ConfigError where there is one.
    """
    if paths.witness_key.exists():
        remedy = "Choose another folder: who checks signatures knows this key."
        raise ConfigError(f"{paths.root} has a witness's key.", remedy=remedy)
    private_folder(paths.keys)
    if not paths.config.exists():
        create_store_key(paths)
    create_witness_key(paths.witness_key)


@asynccontextmanager
async def own_witness(paths: CloudPaths, clock: Callable[[], datetime]) -> AsyncIterator[OwnWitness]:
    """Raises ConfigError, StoreUnavailable."""
    if paths.config.exists():
        remedy = (
            "It is a witness by itself. Give a customer's own witness another folder, on another machine."
        )
        raise ConfigError(f"{paths.root} is a control plane's folder.", remedy=remedy)
    key = load_witness_key(paths.witness_key)
    database = open_database(paths, CloudSettings())
    try:
        await migrate(database)
        yield OwnWitness(database, key, clock)
    finally:
        await database.close()
