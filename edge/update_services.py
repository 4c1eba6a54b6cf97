"""Part of the composition root: updates from the control plane, put together for a running node."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

from core.artifacts import Manifest
from core.version import VERSION
from edge import metrics
from edge.egress import metrics as egress_metrics
from edge.egress.envelope import load_or_create_key
from edge.egress.fetch.client import FetchClient
from edge.egress.records.guard import Guard
from edge.knowledge.document import Audience
from edge.knowledge.ingest import now_ms
from edge.operations.updates import told
from edge.slots import Slots, numbers
from edge.text_services import pushed_policies
from edge.updates.chunks import ChunkStore
from edge.updates.fetching import Fetching
from edge.updates.installer import Installer
from edge.updates.knowledge_installer import KnowledgeInstaller
from edge.updates.model_installer import ModelInstaller
from edge.updates.model_slots import ModelSlots, Setting
from edge.updates.node_trust import NodeTrust
from edge.updates.policy_installer import PolicyInstaller
from edge.updates.probing import Probe
from edge.updates.software_installer import SoftwareInstaller
from edge.updates.updater import Updater
from edge.updates.vitals import NodeVitals
from edge.updates.windows import is_open
from edge.web.admin import Operation
from models.catalog import models_dir

if TYPE_CHECKING:
    from edge.app import Site
    from edge.updates.trust import Trust

HEALTH: Final = ("encoder", "encoder_version", "llm_version", "store")
"""Components whose fallback, when it is new, undoes an update. Others follow from another model as such (what was
fitted on Postern's own encoder rests beside another), or from the site's own line and disk."""

CUSTOMERS_KINDS: Final = ("generate", "get_metadata", "fetch_blobs")
"""What leaves because customers ask much, or because an update is fetched."""

ROWS_KIND: Final = "outbox_batch"
"""Rows are counted as they are written: after a time without a line, those of days leave within minutes."""


class UpdateWay:
    """The updater of a running node, and what is told of it."""

    def __init__(self, updater: Updater) -> None:
        self._updater = updater
        self.want = updater.want
        self.run = updater.run

    def told(self) -> list[dict[str, object]]:
        """The part of `postern status`: what is under way."""
        return [told(row) for row in self._updater.running()]


def open_updates(site: Site, node_id: Callable[[], str], operations: Mapping[str, Operation]) -> UpdateWay:
    """The updates of `site`, not yet running. `node_id`: under which it is enrolled."""
    guard = Guard(load_or_create_key(site.paths.keys))
    settings = site.config.updates
    client = FetchClient(site.paths.courier_socket, guard, lambda: settings.bytes_per_s)
    chunks = ChunkStore(site.paths.updates / "blobs")
    fetching = Fetching(client, chunks, lambda: is_open(settings.windows, datetime.now().astimezone().time()))
    return UpdateWay(
        Updater(
            site.store,
            NodeTrust(partial(_open_trust, site, client), client, node_id),
            chunks,
            fetching,
            installers(site, operations),
            vitals_of(site),
            fits=lacking,
        )
    )


def _open_trust(site: Site, client: FetchClient) -> Trust:
    """What the node knows of both repositories. Loads their library."""
    from edge.updates.trust import Trust

    return Trust(site.paths.trusted_metadata, client)


def vitals_of(site: Site) -> NodeVitals:
    """How the site does, from now on."""
    return NodeVitals(site.store, egress_since(time.monotonic()), _health, probe_of(site))


def installers(site: Site, operations: Mapping[str, Operation]) -> dict[str, Installer]:
    """Of each kind of update."""
    staging = site.paths.updates / "staging"

    async def use(name: str) -> object:
        return await operations["models.use"]({"name": name}, lambda _: None)

    def serves(setting: Setting) -> str:
        if setting == "encoder":
            return site.encoder.info.model
        health = site.worker.last_health
        return health.model if health is not None else ""

    def setback(setting: Setting) -> bool:
        if setting == "encoder":
            return site.encoder.info.setback is not None
        health = site.worker.last_health
        return bool(health is not None and health.fallback)

    return {
        "model": ModelInstaller(ModelSlots(site.paths, models_dir()), staging, use, serves, setback),
        "knowledge": KnowledgeInstaller(site.paths.packs, site.knowledge),
        "software": SoftwareInstaller(
            Slots(site.paths.slots), site.paths.root, site.paths.store, site.store.keys.store
        ),
        "policy": PolicyInstaller(staging, site.texts.policies, pushed_policies(site.paths)),
    }


def lacking(manifest: Manifest) -> str:
    """What this machine lacks of what a manifest requires, as a short code; empty for nothing."""
    needs = manifest.requires
    if needs.architectures and platform.machine() not in needs.architectures:
        return "architecture"
    if needs.software and numbers(needs.software) > numbers(VERSION):
        return "software_too_old"
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return "memory" if needs.memory_mb > memory_mb else ""


def probe_of(site: Site) -> Probe:
    """Asks the site's golden questions: embedded as its documents are, in the background of customers' turns."""
    return Probe(site.paths.golden_questions, lambda text, k: _documents(site, text, k))


def _documents(site: Site, text: str, k: int) -> list[str]:
    found = site.knowledge.search(text, k, Audience.PUBLIC, at_ms=now_ms())
    return [one.passage.doc for one in found]


def _health() -> tuple[str, ...]:
    return tuple(one for one in metrics.fallbacks() if one.partition(":")[0] in HEALTH)


def egress_since(began_s: float) -> Callable[[], tuple[int, float]]:
    """What counts as having left since the process began, in bytes, and the seconds since."""

    def sums() -> tuple[int, float]:
        (written,) = metrics.outbox_appended_bytes.collect()
        return _sent(egress_metrics.BYTES) + int(written.samples[0].value), time.monotonic() - began_s

    return sums


def _sent(counter: Counter) -> int:
    samples = (sample for family in counter.collect() for sample in family.samples)
    return sum(
        int(sample.value)
        for sample in samples
        if sample.name.endswith("_total") and sample.labels["kind"] not in (*CUSTOMERS_KINDS, ROWS_KIND)
    )
