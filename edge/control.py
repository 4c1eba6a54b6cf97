"""How a command reaches its site: through the running node, or by opening the site itself when no node runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from core.errors import NotReachable
from core.local_user import this_user
from edge.config import SitePaths
from edge.web import admin
from edge.web.admin import Arguments, OnProgress

# A node with a large knowledge base is up within this; past it whoever holds the store is no node of ours.
STARTING_S = 30.0
ASK_AGAIN_S = 0.1


class Operate(Protocol):
    """Runs an operation of edge.operations.site by name. Raises PosternError."""

    def __call__(self, name: str, arguments: Arguments, on_progress: OnProgress, /) -> Awaitable[object]: ...


async def operate(paths: SitePaths, name: str, arguments: Arguments, on_progress: OnProgress) -> object:
    """Run one operation. Raises PosternError."""
    async with operator(paths) as run:
        return await run(name, arguments, on_progress)


@asynccontextmanager
async def operator(paths: SitePaths) -> AsyncIterator[Operate]:
    """Whoever runs operations on the site, for as many as are wanted. Raises PosternError."""
    socket = paths.admin_socket
    if socket.exists() and await admin.answers(socket):
        # A socket that a killed node left behind does not answer; then the store's lock decides.
        yield partial(admin.call, socket)
        return
    # The models and indexes are loaded only now: a command on a running node needs none of them.
    from edge.app import open_site, site_operations
    from edge.store.connection import StoreInUse
    from edge.web.audited import Audited

    async with AsyncExitStack() as stack:
        try:
            site = await stack.enter_async_context(open_site(paths))
        except StoreInUse:
            await _started(socket)
            yield partial(admin.call, socket)
        else:
            table, audited, user = site_operations(site).table(), Audited(site.store), this_user()
            yield lambda name, arguments, on_progress: audited.by(user, name, table[name])(
                arguments, on_progress
            )


async def _started(socket: Path) -> None:
    """Somebody holds the store: most likely a node that starts and will listen in a moment. Raises NotReachable."""
    give_up_at = time.monotonic() + STARTING_S
    while not await admin.answers(socket):
        if time.monotonic() > give_up_at:
            raise NotReachable(
                "Another process has the store and does not answer on the node's admin socket."
            )
        await asyncio.sleep(ASK_AGAIN_S)
