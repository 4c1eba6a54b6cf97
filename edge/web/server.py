"""The node's HTTP servers: the customers' on its port, the admin socket beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from aiohttp import web

from core.errors import ConfigError
from core.files import private_folder
from edge.config import HttpSection
from edge.web.admin import Operation, admin_application
from edge.web.audit_log import AuditLog, writing_refusals
from edge.web.audited import Audited
from edge.web.problems import BODY_BYTES_MAX, add_security_headers, problems
from edge.web.siblings import adding_permission, permitting, refusing_others

# Requests under way at a stop get this long; the whole stop must stay under 10 s.
SHUTDOWN_TIMEOUT_S = 3.0
KEEPALIVE_S = 75.0


def customer_application(
    routes: Iterable[web.AbstractRouteDef], rows: AuditLog | None, siblings: Iterable[str] = ()
) -> web.Application:
    """The application on the node's port. `rows`: where refusals are written down; None for routes without a store.

    `siblings`: origins of the pages of the site's other nodes.
    """
    outer, origins = [writing_refusals(rows)] if rows else [], frozenset(siblings)
    application = web.Application(
        middlewares=[*outer, permitting(origins), problems, refusing_others(origins)],
        client_max_size=BODY_BYTES_MAX,
    )
    application.on_response_prepare.append(add_security_headers)
    application.on_response_prepare.append(adding_permission(origins))
    application.add_routes(list(routes))
    return application


async def serve_customers(application: web.Application, http: HttpSection) -> tuple[web.AppRunner, str]:
    """Listen; returns the runner (clean it up at the end) and the address. Raises ConfigError."""
    if not http.loopback:
        raise ConfigError(
            f"http.host is {http.host}: off loopback the node needs TLS, which this release does not have yet.",
            remedy='Set http.host = "127.0.0.1" and put a TLS proxy of the site in front.',
        )
    runner = _runner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, http.host, http.port, reuse_address=True).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(
            f"Cannot listen on {http.host}:{http.port}: {error.strerror}.",
            remedy="Stop what uses the port, or set another http.port in site.toml.",
        ) from None
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


async def serve_admin(
    operations: Mapping[str, Operation], audited: Audited, socket_path: Path
) -> web.AppRunner:
    """Listen on the admin socket, readable by the node's user only."""
    private_folder(socket_path.parent)
    socket_path.unlink(missing_ok=True)
    runner = _runner(admin_application(operations, audited))
    await runner.setup()
    await web.UnixSite(runner, str(socket_path)).start()
    socket_path.chmod(0o600)
    return runner


def _runner(application: web.Application) -> web.AppRunner:
    return web.AppRunner(
        application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S, keepalive_timeout=KEEPALIVE_S
    )
