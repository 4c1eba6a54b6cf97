"""The site's keys, for the command line and the console: operations `keys.*`, plain JSON in and out."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from typing import Literal

from sqlite_utils import Database

from core.local_user import this_user
from edge.config import Config, SitePaths
from edge.keys import custody, root
from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.key_list import Counts, keys_of
from edge.privacy import policy_files
from edge.store import api_keys, audit, operators
from edge.store.connection import lock
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation


class ListArguments(OperationArguments):
    """`postern keys list`."""


class RotateArguments(OperationArguments):
    """`postern keys rotate`."""

    which: Literal["root", "policy"] = "root"


class SealArguments(OperationArguments):
    """`postern keys seal`."""

    to: Literal["tpm", "file"] = "tpm"


class KeysOperations:
    """The operations, by name."""

    def __init__(self, config: Config, paths: SitePaths, store: Store) -> None:
        self._config = config
        self._paths = paths
        self._store = store
        self._changing = asyncio.Lock()

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"keys.list": self.list, "keys.seal": self.seal, "keys.rotate": self.rotate}

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """Every key of the site."""
        read_arguments(ListArguments, arguments)
        subjects = await self._store.read_keys(lambda keys: _rows(keys, "subject_keys"))
        counts = await self._store.read(lambda db: _counts(db, subjects))
        return [asdict(key) for key in keys_of(self._paths, self._config, counts)]

    async def seal(self, arguments: Arguments, _: OnProgress) -> object:
        """Move the root key into the TPM, or out of it into a file."""
        wanted = read_arguments(SealArguments, arguments)
        move = custody.seal if wanted.to == "tpm" else custody.unseal
        async with self._changing:
            await asyncio.to_thread(move, self._paths)
        return {"root_in": root.holder(self._paths)}

    async def rotate(self, arguments: Arguments, _: OnProgress) -> object:
        """A new root key, site key and recovery key; or a new pair for the policy, which then must be signed anew."""
        wanted = read_arguments(RotateArguments, arguments)
        async with self._changing:
            if wanted.which == "policy":
                await asyncio.to_thread(policy_files.make_key, self._paths.keys)
                return {"policy_key": str(self._paths.policy_key)}
            await asyncio.to_thread(custody.rotate, self._paths)
        return {"root_in": root.holder(self._paths), "recovery_key": str(self._paths.recovery_key)}


async def recover(paths: SitePaths, identity: str) -> dict[str, str]:
    """Bring the root key of a stopped site back. Raises StoreInUse, RecoveryKeyWrong, KeysUnusable.

    The row of audit comes after it: before, the store cannot be opened.
    """
    descriptor = lock(paths.store_lock)
    try:
        await asyncio.to_thread(custody.recover, paths, identity)
    finally:
        os.close(descriptor)
    store = Store.open(paths)
    try:
        await store.write(lambda db: audit.append(db, this_user(), "keys.recover"))
    finally:
        await store.close()
    return {"root_in": store.keys.root_in}


def _counts(db: Database, subjects: int) -> Counts:
    (logins,) = db.execute(
        "SELECT count(*) FROM operator_sessions WHERE expires_ms > ?", [time.time_ns() // 1_000_000]
    ).fetchone()
    return Counts(subjects, len(api_keys.working(db)), _rows(db, "operators"), logins, operators.seal(db))


def _rows(db: Database, table: Literal["subject_keys", "operators"]) -> int:
    (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - the two names above
    return int(rows)
