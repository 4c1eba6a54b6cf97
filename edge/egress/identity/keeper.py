"""Keeps the site's certificate from running out, and comes back when it has. Thin: rules in renewal_rules.py."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import PosternError
from edge.egress.identity.identity import Identity
from edge.egress.identity.renewal_rules import RETRIES_PER_LIFE, Reach, due_unix_s, pause_s
from edge.egress.ledger.queue import LedgerQueue

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 60.0
"""The clock may be set while we sleep."""

Adopt = Callable[[Identity, Identity], Awaitable[None]]
"""Takes the identity that was renewed and the one that is to take its place."""


class IdentityKeeper:
    """`keep` for as long as the courier runs; it is told what links have shown."""

    def __init__(
        self,
        current: Callable[[], Identity | None],
        adopt: Adopt,
        ledger: LedgerQueue,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: Unix time, seconds."""
        self._current = current
        self._adopt = adopt
        self._ledger = ledger
        self._clock = clock
        self._reach = self._asked = Reach.UNKNOWN
        self._woken = asyncio.Event()
        self._failures = 0
        self._not_before = 0.0
        self._chance = random.random()  # noqa: S311 - spreads load, keeps no secret

    def saw(self, reach: Reach) -> None:
        """What an attempt at a link has shown, or that one is over: UNKNOWN."""
        if reach is Reach.REFUSED and self._asked is not reach:
            self._failures, self._not_before = 0, 0.0  # of renewals, which go another way
        self._reach = reach
        self._woken.set()

    def changed(self) -> None:
        """The site has another identity."""
        self._reach, self._failures, self._not_before = Reach.UNKNOWN, 0, 0.0
        self._chance = random.random()  # noqa: S311
        self._woken.set()

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            mine, wait_s = self._current(), LOOK_EVERY_S
            if mine is not None:
                wait_s = self._wait_s(mine)
                if wait_s <= 0:
                    await self._try(mine)
                    continue
            await self._sleep(min(wait_s, LOOK_EVERY_S))

    def _wait_s(self, mine: Identity) -> float:
        held_s = self._not_before - asyncio.get_running_loop().time()
        enrolment = mine.enrolment
        if self._reach is Reach.REFUSED:
            return held_s if enrolment.enrolment_endpoint else LOOK_EVERY_S
        if self._reach is Reach.UNKNOWN or not enrolment.expires_unix_s:
            return LOOK_EVERY_S
        due = due_unix_s(enrolment.issued_unix_s, enrolment.expires_unix_s, self._chance)
        return max(due - self._clock(), held_s)

    async def _try(self, mine: Identity) -> None:
        from edge.egress.identity import renewal

        self._asked, expired = self._reach, self._reach is Reach.REFUSED
        try:
            ask = renewal.reattest if expired else renewal.renew
            await self._adopt(mine, await ask(mine, self._ledger))
            # A clock that is far ahead sees a new certificate past half its life, too.
            self._hold(_life_s(mine) / RETRIES_PER_LIFE)
            log.info("the certificate was renewed", extra={"after_its_end": expired})
        except PosternError as error:
            self._failed(mine, error.code, error.detail)
        except Exception as error:  # a bug here must not end the courier, nor ask in a loop
            log.exception("the renewal failed")
            self._failed(mine, type(error).__name__, "")

    def _failed(self, mine: Identity, code: str, detail: str) -> None:
        log.warning("the certificate was not renewed", extra={"code": code, "detail": detail})
        self._failures += 1
        self._hold(pause_s(self._failures, _life_s(mine), random.random()))  # noqa: S311

    def _hold(self, seconds: float) -> None:
        self._not_before = asyncio.get_running_loop().time() + seconds

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass


def _life_s(mine: Identity) -> float:
    return mine.enrolment.expires_unix_s - mine.enrolment.issued_unix_s
