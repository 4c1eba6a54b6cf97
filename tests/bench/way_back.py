"""How long a way back takes at an open site: from an encoder that begins to do badly to all that was before it.

The site's own parts: its updater with its installers and vitals, `models.use`, documents, intents and what the site
learnt, the real encoder and another with other weights. Only the control plane is played, and what makes the site ill:
it says of itself that its encoder runs slower than asked. Beside it is measured what reading all documents anew takes.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from edge import metrics
from edge.app import Site, open_site, site_operations
from edge.config import site_paths
from edge.knowledge import rows
from edge.other_encoder import catch_up
from edge.site_setup import TEMPLATES
from edge.update_services import installers, vitals_of
from edge.updates.chunks import ChunkStore
from edge.updates.fetching import Fetching
from edge.updates.updater import Updater
from models.catalog import DEFAULT_ENCODER, models_dir
from models.versions import model_folder
from tests.bench import harness, update_walk
from tests.projected_encoder import projected_folder
from tests.running import prepare_clinic

PASSAGES = 1_000
# Of a passage beside those of the sample clinic, whose passages have as many in the middle.
WORDS = 60
SEED = 3
# For a gate with golden questions and all documents read by the new encoder, at the lowest priority.
FORTH_S_MAX = 400.0
BACK_S_MAX = 120.0
LOOK_S = 0.01
ILL = ("encoder", "bench")


@dataclass(frozen=True)
class WayBack:
    """Seconds from the moment that the site is ill."""

    passages: int
    vectors_kept: int
    """Of the encoder before; the others are read anew."""
    encoder_s: float
    """Until it serves again, with vectors of its own."""
    whole_s: float
    """Until the update has ended and nothing runs weaker than before it."""
    reading_s: float
    """For all passages, read by the encoder before as documents are: what is saved where all vectors were kept."""


async def measure(work: Path, passages: int = PASSAGES) -> WayBack:
    """Forth, and back."""
    cloud = work / "cloud"
    projected_folder(cloud / "published" / "2.0")
    (cloud / "published" / "3.0").mkdir()
    own = work / "models"
    shutil.copytree(model_folder(models_dir(), DEFAULT_ENCODER), own / DEFAULT_ENCODER)
    with patch.dict(os.environ, {"POSTERN_MODELS": str(own)}):
        async with open_site(site_paths(prepare_clinic(work))) as site:
            await _fill(site, work / "leaflets", passages)
            async with _updating(site, update_walk.Cloud(cloud)) as updater:
                return await _forth_and_back(site, updater)


async def _fill(site: Site, folder: Path, passages: int) -> None:
    """Documents of a passage each, in the clinic's words, until there are so many passages."""
    texts = [path.read_text("utf-8") for path in (TEMPLATES / "clinic" / "documents").rglob("*.md")]
    words = sorted(set(re.findall(r"[a-z]+", " ".join(texts).lower())))
    chance = random.Random(SEED)
    folder.mkdir()
    for number in range(passages - len(site.knowledge.searcher)):
        text = f"# Leaflet {number}\n\n{' '.join(chance.choices(words, k=WORDS))}.\n"
        (folder / f"{number:05}.md").write_text(text, "utf-8")
    assert not (await site.knowledge.add([folder])).failed


@asynccontextmanager
async def _updating(site: Site, cloud: update_walk.Cloud) -> AsyncIterator[Updater]:
    """The site's updater, and what follows a change of its encoder; both run."""
    chunks = ChunkStore(site.paths.updates / "blobs", spare_bytes=0)
    parts = installers(site, site_operations(site).table())
    fetching = Fetching(cloud, chunks, lambda: True)
    updater = Updater(site.store, cloud, chunks, fetching, parts, vitals_of(site))
    running = [asyncio.create_task(work) for work in (updater.run(), catch_up(site))]
    try:
        yield updater
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _forth_and_back(site: Site, updater: Updater) -> WayBack:
    before = site.encoder.info
    await _until(lambda: not site.knowledge.behind, FORTH_S_MAX)
    usual = set(metrics.fallbacks())
    updater.want([update_walk.update("2.0").model_copy(update={"watch_s": 3600})])
    await _until(lambda: any(row.standing.step == "watch" for row in updater.running()), FORTH_S_MAX)
    await _until(lambda: site.intents.version is not None, FORTH_S_MAX)
    harness.progress(f"{site.encoder.info.model} serves; it does badly from now on")
    assert site.encoder.info.space != before.space
    kept = len(await site.store.read(partial(rows.vectors_before, encoder=before.space)))
    metrics.fall_back(*ILL)
    began_s = time.monotonic()
    await _until(lambda: site.encoder.info.space == before.space and not site.knowledge.behind, BACK_S_MAX)
    encoder_s = time.monotonic() - began_s
    ill = ":".join(ILL)
    await _until(lambda: not updater.running() and set(metrics.fallbacks()) <= usual | {ill}, BACK_S_MAX)
    whole_s = time.monotonic() - began_s
    metrics.recover(ILL[0])
    assert site.encoder.info.model == DEFAULT_ENCODER
    passages = len(site.knowledge.searcher)
    reader = site.encoder.in_background()
    began_s = time.monotonic()
    read = await site.knowledge.embed_all(reader, "nobody's")
    reading_s = time.monotonic() - began_s
    await asyncio.to_thread(reader.close)
    assert len(read) == passages
    return WayBack(passages, kept, encoder_s, whole_s, reading_s)


async def _until(holds: Callable[[], bool], limit_s: float) -> None:
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(LOOK_S)
