"""Composition root of the control plane: puts the services of `services` behind ports, starts them and stops them.

Stopping is a request first. Each step then has its own limit, so that the whole takes less than the ten seconds of
the contract even with open streams and browsers.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from cloud_sync.config import CloudPaths, CloudSettings, ConsoleSettings, load_settings
from cloud_sync.console.site import OPEN_PATHS, Services, console_app
from cloud_sync.fleet.admissions import Admissions
from cloud_sync.fleet.leases import Lease
from cloud_sync.fleet.presence import Presence
from cloud_sync.folder import Identities, load_identities
from cloud_sync.rpc.artifacts import ArtifactService
from cloud_sync.rpc.enrolment import Endpoints, EnrolmentService
from cloud_sync.rpc.handshakes import Handshakes
from cloud_sync.rpc.identity import IdentityService
from cloud_sync.rpc.overflow import OverflowService
from cloud_sync.rpc.server import (
    RpcPort,
    enrolment_port,
    serve_artifacts,
    serve_enrolment,
    serve_identity,
    serve_overflow,
    serve_sync,
    serve_witness,
    sync_port,
)
from cloud_sync.rpc.sync import SyncService
from cloud_sync.rpc.witness import WitnessService
from cloud_sync.services import STEP_TIMEOUT_S, ControlPlane, control_plane, utc_now, within
from core.errors import ConfigError
from core.files import write_atomic
from core.identity import create_server_certificate
from core.webshell.accounts import Accounts
from core.webshell.pages import Pages
from core.webshell.shell import ShellSettings, WebShell

if TYPE_CHECKING:
    from cloud_sync.overflow_services import Overflow

log = logging.getLogger(__name__)

# Issued afresh at each start, so it only has to outlive a process.
SERVER_CERTIFICATE_VALIDITY = timedelta(days=825)
# Limits of the steps of stopping, in seconds; together with STEP_TIMEOUT_S, under ten.
CONSOLE_SHUTDOWN_S = 1.0
PORTS_TIMEOUT_S = 4.5


@dataclass(frozen=True)
class Ready:
    """Where a control plane serves."""

    url: str
    enrolment: str
    sync: str


async def serve(
    paths: CloudPaths,
    stop: asyncio.Event,
    on_ready: Callable[[Ready, str | None], None],
    handshakes: Handshakes | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Run a control plane until `stop` is set. `on_ready` gets the addresses and, until claimed, the claim code.

    `handshakes`: those that TLS refuses, where the process reads its library's log.

    Raises ConfigError, StoreUnavailable.
    """
    settings, identities = load_settings(paths), load_identities(paths)
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(control_plane(paths, settings, identities, clock))
        claim_code = await _issue_claim(plane.accounts, paths)
        overflow = _overflow(plane, settings)
        ports = _ports(plane, settings, identities, overflow)
        enrolment, sync = ports.enrolment, ports.sync
        stack.push_async_callback(_stop_ports, ports, plane.presence, overflow)
        await enrolment.start()
        runner = web.AppRunner(
            _console(plane, settings, enrolment.endpoint), shutdown_timeout=CONSOLE_SHUTDOWN_S
        )
        stack.push_async_callback(within, "stop the console", STEP_TIMEOUT_S, runner.cleanup)
        url = await _listen(runner, settings.console)
        # Last: a fleet may wait at the door, and whoever connects while the console is being made waits in one heap.
        await sync.start()
        on_ready(Ready(url, enrolment.endpoint, sync.endpoint), claim_code)
        await _work(plane, ports, overflow, handshakes or Handshakes(), stop, settings.telemetry.export_dir)


async def _work(
    plane: ControlPlane,
    ports: _Ports,
    overflow: Overflow | None,
    handshakes: Handshakes,
    stop: asyncio.Event,
    export_dir: Path | None,
) -> None:
    """The background tasks, until `stop`."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(plane.presence.keep_saving(), name="save-heartbeats"),
            group.create_task(plane.steering.watch(ports), name="watch-changes"),
            group.create_task(plane.leases.keep("alerts", partial(_alert, plane)), name="alerts"),
            group.create_task(plane.leases.keep("retention", plane.retention.keep_purging), name="retention"),
            group.create_task(
                plane.leases.keep("rollouts", plane.driver.keep_driving), name="drive-rollouts"
            ),
            group.create_task(
                handshakes.keep_writing(plane.intake, plane.metrics), name="refused-handshakes"
            ),
        ]
        if overflow is not None:
            tasks.append(group.create_task(overflow.run(), name="overflow"))
        if export_dir is not None:
            exporting = plane.leases.keep("export", lambda _: plane.telemetry.keep_exporting(export_dir))
            tasks.append(group.create_task(exporting, name="export-telemetry"))
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _alert(plane: ControlPlane, lease: Lease) -> None:
    """Look after alerts and webhooks for all replicas, for as long as this one holds the lease."""
    async with asyncio.TaskGroup() as group:
        group.create_task(plane.watch.keep_looking(lease.check), name="watch-alerts")
        group.create_task(plane.deliveries.keep_delivering(), name="webhooks")


@dataclass(frozen=True)
class _Ports:
    """The gRPC ports, and the services that look at nodes again when one changes."""

    enrolment: RpcPort
    sync: RpcPort
    streams: SyncService
    answers: OverflowService

    async def refresh(self, since: int) -> int:
        await self.answers.refresh()
        return await self.streams.refresh(since)

    def opened_elsewhere(self, node_id: str, generation: int) -> None:
        self.streams.opened_elsewhere(node_id, generation)


def _overflow(plane: ControlPlane, settings: CloudSettings) -> Overflow | None:
    if not settings.overflow.enabled:
        return None
    # Here, because models and their runtimes are nothing that a control plane without them should carry.
    from cloud_sync.overflow_services import overflow

    return overflow(settings.overflow, plane)


def _ports(
    plane: ControlPlane, settings: CloudSettings, identities: Identities, overflow: Overflow | None
) -> _Ports:
    server = create_server_certificate(
        identities.authority, [settings.sync.public_host], now=utc_now(), validity=SERVER_CERTIFICATE_VALIDITY
    )
    sync = sync_port(settings.sync, server, identities.authority, settings.overflow)
    enrolment = enrolment_port(settings.enrolment, identities.enrolment)
    streams = SyncService(
        plane.intake,
        plane.steering,
        plane.presence,
        plane.metrics,
        Admissions(settings.sync.admissions_per_s),
    )
    answers = OverflowService(plane.intake, plane.metrics, overflow.answering if overflow else None)
    serve_sync(sync, streams)
    serve_overflow(sync, answers)
    packages = ArtifactService(plane.intake, plane.metrics, plane.vendor, plane.director, plane.blobs)
    serve_artifacts(sync, packages)
    endpoints = Endpoints(sync.endpoint, settings.overflow.endpoints)
    serve_identity(sync, IdentityService(plane.renewal, plane.intake, endpoints))
    serve_witness(sync, WitnessService(plane.witnessing, plane.intake))
    serve_enrolment(
        enrolment, EnrolmentService(plane.enrolment, plane.renewal, endpoints, plane.vendor.roots)
    )
    return _Ports(enrolment, sync, streams, answers)


def _console(plane: ControlPlane, settings: CloudSettings, enrolment_endpoint: str) -> web.Application:
    shell_settings = ShellSettings(
        product="Postern control plane",
        organisation=settings.organisation,
        place="this control plane",
        program="postern-cloud run",
        version=software_version(),
        secure=settings.console.secure,
        cookie="postern-cloud",
        open_paths=OPEN_PATHS,
        behind_proxy=False,
    )
    pages = Pages(Path(__file__).parent / "console", "console", utc_now)
    services = Services(
        plane.overview,
        plane.alerts,
        plane.enrolment,
        plane.steering,
        plane.metrics,
        plane.shares,
        plane.rollouts,
        plane.vendor,
        enrolment_endpoint,
    )
    return console_app(services, WebShell(shell_settings, plane.accounts, pages))


async def _listen(runner: web.AppRunner, settings: ConsoleSettings) -> str:
    """Start the console; its address. Raises ConfigError when the port is taken or the certificate unreadable."""
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=_tls(settings))
        await site.start()
    except OSError as error:
        remedy = "Stop whatever listens there, or choose another port in cloud.toml."
        raise ConfigError(
            f"The console cannot listen on {settings.host}:{settings.port}.", remedy=remedy
        ) from error
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.secure else 'http'}://{host}:{runner.addresses[0][1]}/"


def _tls(settings: ConsoleSettings) -> ssl.SSLContext | None:
    if settings.certificate_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("console.certificate_file and key_file cannot be loaded.") from error
    return context


async def _issue_claim(accounts: Accounts, paths: CloudPaths) -> str | None:
    code = await accounts.issue_claim()
    if code is None:
        paths.claim_code.unlink(missing_ok=True)
    else:
        write_atomic(paths.claim_code, f"{code}\n".encode())
    return code


async def _stop_ports(ports: _Ports, presence: Presence, overflow: Overflow | None) -> None:
    ports.streams.end_all()

    async def stop_both() -> None:
        await asyncio.gather(ports.sync.stop(), ports.enrolment.stop())

    await within("stop the gRPC ports", PORTS_TIMEOUT_S, stop_both)
    saving = [within("save heartbeats", STEP_TIMEOUT_S, presence.save)]
    if overflow is not None:
        saving.append(overflow.close())
    await asyncio.gather(*saving)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGINT and SIGTERM ask for a stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


def software_version() -> str:
    """This installation's version."""
    try:
        return version("postern")
    except PackageNotFoundError:
        return "0 (not installed)"
