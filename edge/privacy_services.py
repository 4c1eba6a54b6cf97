"""Part of the composition root: the detector on the site's encoder, scans of texts that are no turn, and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge import metrics
from edge.config import Config
from edge.inference.scheduler import Scheduler
from edge.operations.people import PeopleOperations
from edge.operations.privacy import PrivacyOperations
from edge.privacy.people import People
from edge.privacy.scanning import Scanner, version_of
from edge.web.admin import Operation
from models.detect.detector import Detector
from models.detect.of_encoder import detector_on
from models.encoder import Encoder

if TYPE_CHECKING:
    from edge.app import Site

COMPONENT: Final = "detector"
"""Runs weaker than asked while the encoder that serves has no tagger, or its tagger does not work: names are not found,
and no text may leave."""


def detector_of(config: Config, encoder: Encoder) -> Detector:
    """What scans the site's texts."""
    return detector_on(encoder, config.site.region, config.privacy.site_patterns)


def scanner_of(config: Config, scheduler: Scheduler, encoder: Encoder, detector: Detector) -> Scanner:
    """The line of scans that are no turn's, as long as programs' line."""
    return Scanner(
        scheduler,
        detector,
        waiting_max=config.limits.api_waiting_max,
        wait_s_max=config.limits.api_wait_max_s,
        tokens_max=encoder.max_tokens,
        on_batch=lambda rows, _: metrics.batch_rows.observe(rows),
        version=lambda: version_of(encoder),
    )


def privacy_operations(site: Site) -> dict[str, Operation]:
    """The command line's."""
    people = People(site.store, site.config.site.name)
    return {**PrivacyOperations(site.scanner).table(), **PeopleOperations(people).table()}


def watch_detector(detector: Detector) -> None:
    """Let the metrics look at whether names are found."""

    def reason() -> str:
        return "failed" if detector.failing else "" if detector.complete else "no_tagger"

    metrics.watch(COMPONENT, reason)
