"""The control plane's services, wired, on an open database: what the ports of `app` and the command line call.

Without gRPC and HTTP, so that a command that only reads or writes a row starts fast.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloud_sync.config import AlertSettings, CloudPaths, CloudSettings, RetentionSettings
from cloud_sync.fleet.alerts.deliveries import Deliveries, read_webhooks
from cloud_sync.fleet.alerts.rules import Limits
from cloud_sync.fleet.alerts.service import Alerts
from cloud_sync.fleet.alerts.watch import Watch
from cloud_sync.fleet.enrolment import Enrolment, EnrolmentTerms
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.leases import Leases
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.renewal import Renewal, RenewalTerms
from cloud_sync.fleet.retention import Retention, RetentionTerms
from cloud_sync.fleet.rollouts.driver import Driver
from cloud_sync.fleet.rollouts.service import Rollouts
from cloud_sync.fleet.steering import Steering
from cloud_sync.fleet.telemetry_export import TelemetryExport
from cloud_sync.fleet.witnessing import Witnessing
from cloud_sync.folder import Identities, witness_key
from cloud_sync.overflow.shares import Shares
from cloud_sync.registry.blobs import Blobs
from cloud_sync.registry.director import Director
from cloud_sync.registry.signing_keys import OnlineKeys
from cloud_sync.registry.vendor import Vendor
from cloud_sync.store.accounts import AdminStore
from cloud_sync.store.database import Database, open_database
from cloud_sync.store.migrate import migrate
from core.errors import PosternError
from core.machine_clocks import machine_clocks
from core.webshell.accounts import Accounts

log = logging.getLogger(__name__)

# Limit of one step of stopping, in seconds.
STEP_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ControlPlane:
    """The services, wired: what the command line and the ports call."""

    database: Database
    metrics: FleetMetrics
    presence: Presence
    intake: Intake
    steering: Steering
    blobs: Blobs
    vendor: Vendor
    director: Director
    enrolment: Enrolment
    renewal: Renewal
    overview: Overview
    rollouts: Rollouts
    driver: Driver
    accounts: Accounts
    admins: AdminStore
    shares: Shares
    alerts: Alerts
    leases: Leases
    watch: Watch
    deliveries: Deliveries
    telemetry: TelemetryExport
    retention: Retention
    witnessing: Witnessing


def utc_now() -> datetime:
    """The clock of everything here."""
    return datetime.now(UTC)


@asynccontextmanager
async def control_plane(
    paths: CloudPaths,
    settings: CloudSettings,
    identities: Identities,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[ControlPlane]:
    """The services on an open, migrated database, without any port. Raises ConfigError, StoreUnavailable."""
    database = open_database(paths, settings)
    try:
        await migrate(database)
        witness = await witness_key(paths, settings, database)
        metrics, presence = FleetMetrics(), Presence(database)
        deliveries = _deliveries(database, settings, metrics)
        terms = EnrolmentTerms(
            fingerprint=identities.enrolment_fingerprint,
            node_validity=timedelta(days=settings.identity.node_certificate_days),
            code_validity=timedelta(hours=settings.identity.enrolment_code_hours),
        )
        blobs = Blobs(settings.registry.blobs_dir or paths.blobs)
        online = OnlineKeys(paths.registry_keys)
        renewal = RenewalTerms(terms.node_validity, timedelta(days=settings.identity.reattest_days))
        steering, kept = Steering(database, clock), _kept(settings.retention)
        driver, admins = Driver(database, steering, clock), AdminStore(database)
        yield ControlPlane(
            database=database,
            metrics=metrics,
            presence=presence,
            intake=Intake(database, presence, metrics, clock),
            steering=steering,
            blobs=blobs,
            vendor=Vendor(database, blobs, online, clock),
            director=Director(database, blobs, online, clock),
            enrolment=Enrolment(database, identities.authority, terms, metrics, clock),
            renewal=Renewal(database, identities.authority, renewal, metrics, clock),
            overview=Overview(database, presence, clock),
            rollouts=Rollouts(database, driver, clock),
            driver=driver,
            accounts=Accounts(admins, clock),
            admins=admins,
            shares=Shares(database, settings.overflow, clock),
            alerts=Alerts(database, clock),
            leases=Leases(database),
            watch=Watch(database, _limits(settings.alerts), deliveries.put, metrics, utc_now),
            deliveries=deliveries,
            telemetry=TelemetryExport(database, utc_now, kept.telemetry),
            retention=Retention(database, kept, machine_clocks),
            witnessing=Witnessing(database, witness, clock),
        )
    finally:
        await within("close the database", STEP_TIMEOUT_S, database.close)


def _limits(settings: AlertSettings) -> Limits:
    return Limits(
        offline=timedelta(minutes=settings.offline_minutes),
        outbox=timedelta(minutes=settings.outbox_minutes),
        certificate=timedelta(days=settings.certificate_days),
        disk_free_percent=settings.disk_free_percent,
    )


def _kept(settings: RetentionSettings) -> RetentionTerms:
    return RetentionTerms(
        records=timedelta(days=settings.records_days),
        telemetry=timedelta(days=settings.telemetry_days),
        gaps=timedelta(days=settings.gaps_days),
        audit=None if settings.audit_days is None else timedelta(days=settings.audit_days),
    )


def _deliveries(database: Database, settings: CloudSettings, metrics: FleetMetrics) -> Deliveries:
    webhooks = read_webhooks(settings.alerts.webhooks)
    return Deliveries(database, settings.organisation, webhooks, metrics, utc_now)


async def within(step: str, limit_s: float, action: Callable[[], Coroutine[None, None, None]]) -> None:
    """A step of stopping that may fail or hang without keeping the others from being done."""
    try:
        await asyncio.wait_for(action(), limit_s)
    except TimeoutError:
        log.warning("step of stopping took too long", extra={"step": step, "limit_s": limit_s})
    except PosternError as error:
        log.warning("step of stopping failed", extra={"step": step, "code": error.code})
