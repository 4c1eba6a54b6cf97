"""What only one replica may do at a time (drive rollouts, raise alerts, export): whoever holds the lease does it.

A replica that is gone is succeeded when its lease ends. One that only believes to hold it, because it was stopped for
a while, is kept from writing by `Lease.check` in the transaction that writes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.leases import give_back, holds, take
from core.errors import PosternError

log = logging.getLogger(__name__)


class LeaseLost(PosternError):
    """Another replica has taken over what this one was doing."""

    code = "lease_lost"
    title = "Another replica does this now"
    remedy = "Nothing: the other replica goes on with it."
    status = 409


@dataclass(frozen=True)
class LeaseTerms:
    """In seconds."""

    length_s: float = 15.0
    """How long nobody does the work after its replica was killed."""
    renew_s: float = 5.0
    """Between renewals, and between looks whether it is free."""
    retry_s: float = 1.0
    """Between attempts to renew while the database does not answer."""
    stop_s: float = 5.0
    """What is left of a lease when the work must stop: it takes this long at most."""


@dataclass(frozen=True)
class Lease:
    """Held by this replica, as far as it knows."""

    name: str
    holder: str

    def check(self, connection: sa.Connection) -> None:
        """Holds it until the transaction ends. Call it in each that writes. Raises LeaseLost."""
        if not holds(connection, self.name, self.holder):
            raise LeaseLost(f"The lease “{self.name}” is not held any more.")


class Leases:
    """This replica's leases."""

    def __init__(self, database: Database, terms: LeaseTerms | None = None) -> None:
        self._database = database
        self._terms = terms or LeaseTerms()
        self._holder = secrets.token_hex(8)

    async def keep(self, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
        """Run `work` whenever this replica holds the lease, for ever. It is cancelled when the lease is lost.

        Work that ends or fails gives the lease back, and begins again when it is held again.
        """
        lease = Lease(name, self._holder)
        while True:
            asked = time.monotonic()
            if await self._taken(lease, self._terms.length_s - self._terms.stop_s):
                await self._work(lease, work, asked)
            await asyncio.sleep(self._terms.renew_s)

    async def _work(self, lease: Lease, work: Callable[[Lease], Awaitable[None]], asked: float) -> None:
        log.info("lease held", extra={"lease": lease.name})
        task = asyncio.ensure_future(_said(lease, work))
        try:
            await self._renew_while(lease, task, asked)
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=self._terms.stop_s)
            await self._given_back(lease)

    async def _renew_while(self, lease: Lease, task: asyncio.Future[None], asked: float) -> None:
        """Until the work has ended, or the lease is lost or could not be renewed in time."""
        terms, pause_s = self._terms, self._terms.renew_s
        deadline = asked + terms.length_s - terms.stop_s
        while not task.done():
            await asyncio.wait({task}, timeout=pause_s)
            asked = time.monotonic()
            held = await self._taken(lease, deadline - asked)
            if held:
                deadline, pause_s = asked + terms.length_s - terms.stop_s, terms.renew_s
            elif held is False or time.monotonic() + terms.retry_s >= deadline:
                log.warning("lease lost", extra={"lease": lease.name})
                return
            else:
                pause_s = terms.retry_s

    async def _taken(self, lease: Lease, within_s: float) -> bool | None:
        """None: the database did not say in time."""
        length = timedelta(seconds=self._terms.length_s)
        try:
            async with asyncio.timeout(within_s):
                return await self._database.run(
                    lambda connection: take(connection, lease.name, lease.holder, length)
                )
        except (PosternError, TimeoutError) as error:
            log.warning("lease not renewed", extra={"lease": lease.name, "error": type(error).__name__})
            return None

    async def _given_back(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(self._terms.retry_s):
                await self._database.run(lambda connection: give_back(connection, lease.name, lease.holder))
        except (PosternError, TimeoutError):
            pass  # it ends by itself


async def _said(lease: Lease, work: Callable[[Lease], Awaitable[None]]) -> None:
    try:
        await work(lease)
    except PosternError as error:
        log.warning("work under a lease ended", extra={"lease": lease.name, "code": error.code})
    except Exception:
        log.exception("work under a lease failed", extra={"lease": lease.name})
