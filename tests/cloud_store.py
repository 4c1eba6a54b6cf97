"""An open, migrated store of a control plane, on either engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.store.database import Database, create_store_key, open_database
from cloud_sync.store.migrate import migrate
from core.files import private_folder


@asynccontextmanager
async def opened_store(folder: Path, url: str = "") -> AsyncIterator[Database]:
    """`url`: of a PostgreSQL; empty: SQLite in `folder`."""
    paths = CloudPaths(folder)
    private_folder(paths.keys)
    create_store_key(paths)
    store = open_database(paths, CloudSettings.model_validate({"database": {"url": url}}))
    await migrate(store)
    try:
        yield store
    finally:
        await store.close()
