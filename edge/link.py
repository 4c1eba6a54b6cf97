"""The node's link to its control plane, put together: what the node tells of itself, and what it lets itself be told.

Loaded by `edge.app` once customers are served; composition only, the rules are in `edge.sync`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.version import VERSION
from edge import metrics
from edge.config import OutboxSection
from edge.egress.courier.client import CourierClient
from edge.egress.records.schemas import ModelState
from edge.fabric.devices import Devices
from edge.overflow_services import OverflowWay, open_overflow
from edge.store.counters import SMALLEST_CELL
from edge.store.outbox_quotas import OutboxClass
from edge.sync.desired import DesiredDocument
from edge.sync.desired_keeper import judge_policy
from edge.sync.events import NodeFacts
from edge.sync.service import SyncService
from edge.update_services import UpdateWay, open_updates
from edge.web.admin import Operation

MB = 2**20

if TYPE_CHECKING:
    from edge.app import Site


@dataclass(frozen=True)
class Ways:
    """What a node has to do with its control plane, each part running by itself."""

    sync: SyncService
    overflow: OverflowWay
    updates: UpdateWay

    def parts(self) -> dict[str, Callable[[], Coroutine[object, object, None]]]:
        """What runs beside the turns, by name."""
        return {"sync": self.sync.run, "overflow": self.overflow.run, "updates": self.updates.run}


def open_ways(site: Site, devices: Devices, operations: Mapping[str, Operation]) -> Ways:
    """All of `site`, not yet running. `operations`: the command line's, by name."""
    sync: SyncService
    updates = open_updates(site, lambda: sync.status().node_id, operations)
    sync = open_link(site, devices, updates)
    return Ways(sync, open_overflow(site), updates)


def open_link(site: Site, devices: Devices, updates: UpdateWay) -> SyncService:
    """The sync of `site`, not yet running."""
    return SyncService(
        site.store,
        site.paths,
        CourierClient(site.paths.courier_socket),
        lambda: _facts(site, devices),
        lambda document: _apply(site, document, updates),
        judge=partial(judge_policy, site.texts.policies),
        bucket_s=site.config.telemetry.bucket_s,
        quotas=_quotas(site.config.outbox),
    )


def _quotas(settings: OutboxSection) -> dict[OutboxClass, int]:
    """Bytes of each class that may wait."""
    return {
        OutboxClass.AUDIT: settings.audit_mb * MB,
        OutboxClass.STATE: settings.state_mb * MB,
        OutboxClass.METRICS: settings.metrics_mb * MB,
    }


async def _apply(site: Site, document: DesiredDocument, updates: UpdateWay) -> None:
    """Take over what the control plane may ask for; what is absent stays as the site set it."""
    site.texts.policies.cloud = document.policy
    site.desk.answer_mode = document.answer_mode or site.config.answer.mode
    updates.want(document.updates)


def _facts(site: Site, devices: Devices) -> NodeFacts:
    """What the node tells of itself; all of it technical."""
    info = site.encoder.info
    waiting = site.answering.stats().waiting
    if waiting < SMALLEST_CELL:  # with a short line, one customer would show
        waiting = 0
    return NodeFacts(
        software_version=VERSION,
        models=(ModelState(name=info.model, version=info.version, runtime=info.runtime, device=info.device),),
        documents=site.knowledge.searcher.documents,
        chunks=len(site.knowledge.searcher),
        devices_online=sum(device.state == "online" for device in devices.snapshot()),
        fallbacks=metrics.fallbacks(),
        queue_percent=100 * waiting / site.config.limits.turns_waiting_max,
        disk_free_percent=_disk_free_percent(site.paths.root),
    )


def _disk_free_percent(folder: Path) -> float | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return 100 * usage.free / usage.total if usage.total else None
