"""How a command reaches its site: through the running node, or by opening the site itself when no node runs."""

from __future__ import annotations

import asyncio
import time

from core.errors import NotReachable
from edge.config import SitePaths
from edge.web import admin
from edge.web.admin import Arguments, OnProgress

# A node with a large knowledge base is up within this; past it whoever holds the store is no node of ours.
STARTING_S = 30.0
ASK_AGAIN_S = 0.1


async def operate(paths: SitePaths, name: str, arguments: Arguments, on_progress: OnProgress) -> object:
    """Run an operation of edge.operations. Raises PosternError."""
    if paths.admin_socket.exists():
        try:
            return await admin.call(paths.admin_socket, name, arguments, on_progress)
        except NotReachable:
            pass  # a socket that a killed node left behind; the store's lock decides
    return await _operate_here(paths, name, arguments, on_progress)


async def _operate_here(paths: SitePaths, name: str, arguments: Arguments, on_progress: OnProgress) -> object:
    """The models and indexes are loaded only now: a command on a running node needs none of them."""
    from edge.app import open_site, site_operations
    from edge.store.connection import StoreInUse

    try:
        async with open_site(paths) as site:
            return await site_operations(site).table()[name](arguments, on_progress)
    except StoreInUse:
        return await _operate_there(paths, name, arguments, on_progress)


async def _operate_there(
    paths: SitePaths, name: str, arguments: Arguments, on_progress: OnProgress
) -> object:
    """Somebody holds the store: most likely a node that starts and will listen in a moment."""
    give_up_at = time.monotonic() + STARTING_S
    while True:
        try:
            return await admin.call(paths.admin_socket, name, arguments, on_progress)
        except NotReachable:
            if time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(ASK_AGAIN_S)
