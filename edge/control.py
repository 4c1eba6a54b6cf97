"""How a command reaches its site: through the running node, or by opening the site itself when no node runs."""

from __future__ import annotations

from core.errors import NotReachable
from edge.config import SitePaths
from edge.web import admin
from edge.web.admin import Arguments, OnProgress


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
        return await admin.call(paths.admin_socket, name, arguments, on_progress)
