"""Part of the composition root: how a running node is, for `postern status`, readiness, metrics and the log."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.memory import Swap, memory_is_locked, swap
from edge import language_model, metrics
from edge.chat import ladder, unrecorded
from edge.egress.reconciliation import confinement
from edge.inference.conversation import Provider
from edge.keeping_services import retention_status
from edge.keys import root
from edge.placed import encoder_status, say_setback, say_unfitted, watch_encoder
from edge.privacy_services import watch_detector
from edge.text_services import watch_policy

if TYPE_CHECKING:
    from edge.app import Site
    from edge.config import SitePaths
    from edge.fabric.devices import Devices
    from edge.link import Ways

log = logging.getLogger(__name__)

KEYS: Final = "keys"
"""Less safe than they could be while the root key lies in a file."""

VECTORS: Final = "vectors"
"""Weaker than asked while documents are found by their words alone."""

SHARED_ACCOUNT: Final = ("egress", "courier_shares_user")
"""No kernel rule keeps node and worker from the network."""

UNCONFINED: Final = ("egress", "unconfined")
"""The accounts are apart, but root's meter does not say that the rules of who may send what are in force."""

SWAPPABLE: Final = ("memory", "can_be_swapped")
"""What the node's process holds can come to lie on a disk."""


def status(site: Site, ways: Ways, devices: Devices) -> dict[str, object]:
    """The part of `postern status` that only a running node knows."""
    info = site.encoder.info
    return {
        "encoder": encoder_status(info),
        "llm": language_model.told_of(site.worker),
        "llm_server": language_model.status_of(site.llm_server),
        "writers": site.desk.relay.told(),
        "overflow": ways.overflow.told(),
        "detector": {"complete": site.scanner.complete, "failing": site.scanner.detector.failing},
        "retention": retention_status(site.retaining),
        "ladder": site.desk.ladder.counts(),
        "unrecorded": site.sessions.unrecorded.counts(),
        "fallbacks": metrics.fallbacks(),
        "notify_errors": dict(site.notifier.last_errors),
        "queue": asdict(site.answering.stats()),
        "sync": asdict(ways.sync.status()),
        "updates": ways.updates.told(),
        "devices": [
            {
                "id": device.id,
                "state": device.state,
                "last_seen": device.last_seen and device.last_seen.isoformat(),
            }
            for device in devices.snapshot()
        ],
    }


def accounts_shared(paths: SitePaths) -> bool:
    """Whether this node has no account apart from the courier's, so that the kernel cannot keep it from the network.

    The store must be this user's own: root, who runs an installed site by hand, owns neither folder.
    """
    if not paths.courier.exists():
        return True
    return (
        paths.courier.stat().st_uid == paths.store.stat().st_uid or paths.store.stat().st_uid != os.getuid()
    )


def way_out(paths: SitePaths, counted: Path = confinement.COUNTED) -> str:
    """Why the kernel does not keep everyone but the courier from the network; empty where it does."""
    if accounts_shared(paths):
        return SHARED_ACCOUNT[1]
    # By its socket: the courier's folder is hidden from the node, and seems to be root's.
    try:
        courier = paths.courier_socket.stat().st_uid
    except FileNotFoundError:  # no courier: nobody to hold
        courier = None
    held = confinement.confined("node", counted) and (
        courier is None or confinement.confined("courier", counted, courier)
    )
    return "" if held else UNCONFINED[1]


def not_ready(site: Site) -> list[str]:
    """Why the node would refuse a question asked now. The port opens only once a turn can be answered at all."""
    waiting, waiting_max = site.answering.stats().waiting, site.config.limits.turns_waiting_max
    return ["queue_full"] if waiting >= waiting_max else []


def _left_alone(site: Site, provider: Provider) -> str:
    """See `Relay.left_alone`; empty where no model is to write answers."""
    return site.desk.relay.left_alone(provider) if site.desk.answer_mode == "generative" else ""


def refresh(site: Site) -> None:
    """Set the gauges that are read off rather than counted."""
    metrics.fallbacks()
    stats = site.answering.stats()
    metrics.queue_depth.labels("encoder").set(stats.waiting)
    metrics.queue_depth.labels("api").set(site.embeddings.line.stats().waiting)
    metrics.queue_depth.labels("scan").set(site.scanner.line.stats().waiting)
    metrics.predicted_wait_seconds.set(stats.predicted_wait_s)
    info = site.encoder.info
    metrics.model_info.clear()  # a device may have been lost, or come back
    metrics.model_info.labels(info.model, info.version, info.runtime, info.device).set(1)


def say_fallbacks(site: Site) -> None:
    """What is weaker than asked from the start."""
    watch_encoder(site.encoder)
    say_setback(site.encoder.info)
    say_unfitted(site.encoder.info)
    watch_detector(site.scanner.detector)
    watch_policy(site.texts.policies)
    for provider in Provider:
        metrics.watch(f"writer_{provider}", partial(_left_alone, site, provider))
    part, weaker = SWAPPABLE
    metrics.watch(part, lambda: weaker if not memory_is_locked() and swap() is Swap.POSSIBLE else "")
    if site.store.lost:
        metrics.fall_back("store", "rows_lost")
    metrics.watch(ladder.COMPONENT, site.desk.ladder.reason)
    metrics.watch(unrecorded.COMPONENT, site.sessions.unrecorded.reason)
    metrics.watch(KEYS, partial(root.shortfall, site.paths, root.tpm_of(site.paths)))
    metrics.watch(VECTORS, lambda: "embedding" if site.knowledge.behind else "")
    metrics.watch(SHARED_ACCOUNT[0], partial(way_out, site.paths))
    for fallback in metrics.fallbacks():
        log.warning("running weaker than asked", extra={"fallback": fallback})
