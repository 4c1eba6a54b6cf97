"""What was written for nodes, by whom and at what price: counted in memory, saved each second, read for the budgets.

A row is a day (UTC), a provider and a node. No text, and nothing of a single answer.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.overflow import Spending, Use, add_uses, spent_on
from core.errors import PosternError

log = logging.getLogger(__name__)

SAVE_EVERY_S: Final = 1.0
"""What a kill of the process can lose of the counts, and so spend past a budget. One small transaction."""

READ_EVERY: Final = 10
"""Looks of which one reads what other replicas spent, where nothing is to be saved."""

TOKEN_CHARS: Final = 4
"""Of a token, where nobody counted them: what OpenAI's documentation says of English."""


def estimated_tokens(chars: int) -> int:
    """Tokens of so much text, rounded up."""
    return -(-chars // TOKEN_CHARS)


class UsageBook:
    """Used from one event loop."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._unsaved: dict[Use, Spending] = {}
        self._saving: dict[Use, Spending] = {}
        self._saved: dict[str, int] = {}
        self._saved_day = self.today

    @property
    def today(self) -> date:
        """By UTC, as the budgets go."""
        return self._clock().date()

    def add(self, provider: str, node: str, spending: Spending) -> None:
        """Count it, for today."""
        use = Use(self.today, provider, node)
        self._unsaved[use] = self._unsaved.get(use, Spending()) + spending

    def spent_micros(self, provider: str) -> int:
        """What a provider cost today, in millionths; other replicas' as of the last save."""
        today = self.today
        saved = self._saved.get(provider, 0) if self._saved_day == today else 0
        held = (*self._unsaved.items(), *self._saving.items())
        return saved + sum(
            spending.cost_micros for use, spending in held if (use.day, use.provider) == (today, provider)
        )

    async def save(self) -> None:
        """Write what is counted, and read what all have spent. Raises StoreUnavailable: it stays counted then."""
        self._saving, self._unsaved = self._unsaved, {}
        taken, day = dict(self._saving), self.today

        def write(connection: sa.Connection) -> dict[str, int]:
            add_uses(connection, taken)
            return spent_on(connection, day)

        try:
            saved = await self._database.run(write)
        except BaseException:
            for use, spending in taken.items():
                self._unsaved[use] = self._unsaved.get(use, Spending()) + spending
            raise
        else:
            self._saved, self._saved_day = saved, day
        finally:
            self._saving = {}

    async def keep_saving(self) -> None:
        """For ever. A database that is away for a while is said once a time, and tried again."""
        for second in itertools.count():
            try:
                if self._unsaved or second % READ_EVERY == 0:
                    await self.save()
            except PosternError as error:
                log.warning("usage of overflow not saved", extra={"code": error.code})
            await asyncio.sleep(SAVE_EVERY_S)
