"""Part of the composition root: who writes answers for nodes. Imported only where the settings say so.

What takes long (a language model, the detector) is opened by `run`, after the control plane serves its nodes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cloud_sync.config import OverflowSettings, ProviderSettings
from cloud_sync.overflow.answering import Answering
from cloud_sync.overflow.engine import Engine
from cloud_sync.overflow.line import Line
from cloud_sync.overflow.metrics import OverflowMetrics
from cloud_sync.overflow.offer import Offer
from cloud_sync.overflow.openai_server import OpenAiServer
from cloud_sync.overflow.provider import Provider
from cloud_sync.overflow.rescan import Rescan
from cloud_sync.overflow.shares import Standing
from cloud_sync.overflow.usage import UsageBook
from cloud_sync.services import STEP_TIMEOUT_S, ControlPlane, utc_now, within
from models.catalog import DEFAULT_LLM, models_dir
from models.detect.detector import Detector
from models.generator import open_generator
from models.runtimes.port import TextGenerator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Overflow:
    """The services, wired."""

    answering: Answering
    rescan: Rescan
    usage: UsageBook

    async def run(self) -> None:
        """What is done beside answers, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.rescan.run(), name="open-detector")
            group.create_task(self.usage.keep_saving(), name="save-usage")
            for offer in self.answering.offers:
                group.create_task(_served(offer.provider), name=f"run-{offer.name}")

    async def close(self) -> None:
        """What is counted is saved; native calls are not waited for."""
        self.rescan.close()
        await asyncio.gather(
            *(
                within("close a provider", STEP_TIMEOUT_S, one.provider.close)
                for one in self.answering.offers
            ),
            within("save the usage of overflow", STEP_TIMEOUT_S, self.usage.save),
        )


def overflow(settings: OverflowSettings, plane: ControlPlane) -> Overflow:
    """Wired, and not yet run. Raises ConfigError."""
    metrics, usage = OverflowMetrics(plane.metrics.registry), UsageBook(plane.database, utc_now)
    offers = [Offer(provider_of(one), one, usage, metrics) for one in settings.offered]
    line = Line(
        places=settings.concurrent_max,
        per_node_max=settings.concurrent_per_node_max,
        waiting_max=settings.waiting_max,
    )
    rescan = Rescan(partial(open_detector, settings.region))
    metrics.watch(lambda: line.running, lambda: line.waiting, lambda: rescan.ready)
    for offer in offers:
        metrics.watch_provider(offer.name, partial(getattr, offer.breaker, "state"))
    answering = Answering(
        offers, line, settings.wait_s_max, rescan, metrics, plane.intake.alert_personal, utc_now
    )
    plane.shares.standings = partial(_standings, offers)
    return Overflow(answering, rescan, usage)


def _standings(offers: Sequence[Offer]) -> dict[str, Standing]:
    return {one.name: Standing(one.breaker.state.value, one.last_error) for one in offers}


async def _served(provider: Provider) -> None:
    """As long as it runs. One that breaks is loud, and takes nothing else of the control plane with it."""
    try:
        await provider.run()
    except Exception as error:
        log.error("a provider ended", extra={"provider": provider.name, "error": type(error).__name__})


def provider_of(settings: ProviderSettings) -> Provider:
    """The provider that the settings name. Raises ConfigError."""
    if settings.kind == "openai":
        return OpenAiServer(settings)

    def opened() -> TextGenerator:
        return open_generator(models_dir(), settings.model or DEFAULT_LLM)

    return Engine(settings.name, opened)


def open_detector(region: str) -> Detector:
    """The detector on this machine's encoder. Blocking. Raises ModelError."""
    from models.detect.of_encoder import detector_on
    from models.encoder import open_encoder

    return detector_on(open_encoder(models_dir()), region)
