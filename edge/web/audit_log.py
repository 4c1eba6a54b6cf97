"""Rows of audit as the ways in write them: with a loud failure, and with refusals that cost the store little.

What is seen is handed out only once its row is durable. A refusal is answered once it is durable too, but a flood of
them is one write at a time, whatever its size; when the store cannot take it, it is counted on and the refusal stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from core.errors import PosternError
from edge import metrics
from edge.store import audit
from edge.store.audit import Outcome, Refusal
from edge.store.store import Store, StoreBusy, StoreClosed
from edge.web import audit_rules
from edge.web.problems import ACTOR, FAULT

log = logging.getLogger(__name__)

COMPONENT: Final = "audit"
"""In `postern_fallback_active`, while rows cannot be written."""

WAITING_MAX: Final = 256
"""Different refusals of one actor that wait for a write, more than a minute's rows; what comes on top is counted in the
row of the rest of theirs."""

UNKNOWN: Final = "unknown"


@dataclass
class _Batch:
    """Refusals that are written together; `settled` once they are, or cannot be for now."""

    counts: Counter[Refusal] = field(default_factory=Counter)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, what: Refusal) -> None:
        """Count one, in the row of the rest of the actor's where they have WAITING_MAX."""
        actor = what[0]
        known = what in self.counts or sum(other == actor for other, *_ in self.counts) < WAITING_MAX
        self.counts[what if known else audit.rest_of(actor)] += 1


class AuditLog:
    """Used from one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = _Batch()
        self._writing: asyncio.Task[None] | None = None

    async def append(self, actor: str, action: str, object: str, outcome: Outcome) -> None:
        """A row, durable when this returns. Raises what the store raises: what is not written down is not done."""
        try:
            await self._store.write(lambda db: audit.append(db, actor, action, object, outcome))
        except Exception as error:
            _cannot_write(error)
            raise
        metrics.recover(COMPONENT)

    async def refused(self, actor: str, action: str, object: str) -> None:
        """A refusal, durable when this returns, or counted until the store takes it. Raises nothing."""
        self._batch.add((actor, action, object))
        batch = self._batch
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting(), name="refusals")
        await batch.settled.wait()

    async def _write_waiting(self) -> None:
        """All that wait in one write, then all that came meanwhile, for as long as the store takes them."""
        while self._batch.counts:
            batch, self._batch = self._batch, _Batch()
            try:
                await self._store.write(partial(audit.all_refused, refusals=batch.counts))
            except Exception as error:
                _cannot_write(error)
                later, self._batch = self._batch, _Batch(batch.counts)
                self._batch.counts.update(later.counts)
                later.settled.set()
                return
            finally:
                batch.settled.set()
            metrics.recover(COMPONENT)


def writing_refusals(rows: AuditLog) -> Middleware:
    """Outermost on the customers' port: every refusal becomes a row. The console's routes write their own."""

    @web.middleware
    async def write_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        error = request.get(FAULT)
        if error is not None and audit_rules.is_refusal(error):
            await rows.refused(*_refusal(request, error))
        return response

    return write_down


def _refusal(request: web.Request, error: PosternError) -> Refusal:
    """Nothing of the path: whoever is refused could have written anything there."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource else ""
    rule = audit_rules.of_route(request.method, path)
    known = request.get(ACTOR) or (rule.who if rule and rule.who is audit_rules.Who.CUSTOMER else UNKNOWN)
    return known, rule.action if rule else path, error.code


def _cannot_write(error: Exception) -> None:
    """Loud, but not for a store that is only full for a moment or closes with the node."""
    if isinstance(error, StoreClosed):
        return
    reason = StoreBusy.code if isinstance(error, StoreBusy) else "cannot_write"
    metrics.fall_back(COMPONENT, reason)
    log.error("a row of audit was not written", extra={"error": type(error).__name__})
