"""Models for the command line: the operation `models.use` changes what serves while it serves.

A language model is changed by the worker. The encoder is changed here: at once where the new one makes vectors of the
same space (the same weights in another form, another file, or another placement), for all that was learnt from vectors
holds then; else after the documents were embedded by it (`edge.other_encoder`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import asdict
from typing import Final

import numpy as np
from sqlite_utils import Database

from edge.inference.embedding import Embeddings
from edge.inference.worker_client import WorkerClient
from edge.knowledge.vectors import Embedded
from edge.operations.arguments import OperationArguments, read_arguments
from edge.placed import say_setback
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation, Progress
from models.catalog import EncoderEntry, entry
from models.encoder import Encoder, ModelInfo
from models.errors import ModelRefused, SwapRefused

log = logging.getLogger(__name__)

TRIED_TEXTS: Final = ("When are you open?", "opening hours", "I need to see somebody about my knee.")
_EMBEDDING: Final = "Reading the documents with the new model"
COSINE_MIN: Final = 0.9
"""Between the old and the new form of a text's vector. Forms that passed their gate agree to .96; garbage is near 0."""


class UseArguments(OperationArguments):
    """`postern models use`."""

    name: str


class ModelsOperations:
    """The operations, by name."""

    def __init__(
        self,
        encoder: Encoder,
        embeddings: Embeddings,
        worker: WorkerClient,
        store: Store,
        start_opening: Callable[[str], Future[Encoder]],
        change: Callable[[Encoder, Callable[[Embedded], None]], Awaitable[None]],
        follow: Callable[[], None],
        record: Callable[[Database, ModelInfo], None],
    ) -> None:
        """`start_opening` opens an encoder by its name, otherwise as at the start. `change` lets one with other weights
        serve, `follow` lets begin what may come later, `record` notes what serves for the fleet."""
        self._encoder = encoder
        self._embeddings = embeddings
        self._worker = worker
        self._store = store
        self._start_opening = start_opening
        self._change = change
        self._follow = follow
        self._record = record
        self._changing = asyncio.Lock()

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"models.use": self.use}

    async def use(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Let a model serve from now on. Raises ModelMissing, ModelRefused, SwapRefused, or what the worker raises."""
        name = read_arguments(UseArguments, arguments).name
        found = await asyncio.to_thread(entry, name)
        async with self._changing:
            if isinstance(found, EncoderEntry):
                return await self._use_encoder(found, on_progress)
            health = await self._worker.use(name)
        return {"model": name, "kind": found.kind, "runtime": health.runtime, "device": health.device}

    async def _use_encoder(self, found: EncoderEntry, on_progress: OnProgress) -> object:
        serving = self._encoder.info
        new = await asyncio.wrap_future(self._start_opening(found.name))
        try:
            await self._take_over(new, on_progress)
        finally:
            if self._encoder.serves_as(new):  # whatever failed after it took over
                await self._settle(serving)
            else:
                new.close()
        info = self._encoder.info
        return {"model": info.model, "kind": found.kind, "runtime": info.runtime, "device": info.device}

    async def _take_over(self, new: Encoder, on_progress: OnProgress) -> None:
        if new.info.setback is not None:
            raise ModelRefused(new.info.setback.detail, remedy=new.info.setback.remedy)
        if new.info.space != self._encoder.info.space:
            await self._change(new, lambda done: on_progress(Progress(done.done, done.of, _EMBEDDING)))
            return
        await asyncio.to_thread(_try_out, self._encoder, new)
        await asyncio.to_thread(self._encoder.take_over(new))

    async def _settle(self, before: ModelInfo) -> None:
        """What follows once another encoder than `before` serves."""
        info = self._encoder.info
        self._embeddings.forget()
        say_setback(info)
        if info.space != before.space:
            self._follow()
        await self._store.write(lambda db: self._record(db, info))
        log.info("the encoder was changed", extra={"was": asdict(before), "is": asdict(info)})


def _try_out(old: Encoder, new: Encoder) -> None:
    """One pass on the new runtime, held against the one that serves. Raises SwapRefused, RuntimeUnavailable."""
    cosines = np.sum(old.embed(TRIED_TEXTS) * new.embed(TRIED_TEXTS), axis=1)
    if not cosines.min() >= COSINE_MIN:
        raise SwapRefused(f"{new.info.model} on {new.info.runtime} makes other vectors than what serves.")
