"""What is done about a person, in rows of audit: as begun, and how it ended, under the person's label.

Who is meant is known only here: whoever lets a caller in knows what was typed, which may be the number of a ticket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from core.errors import PosternError
from edge.privacy.holds import LegalHold
from edge.store import audit
from edge.store.audit import Outcome
from edge.store.store import Store


@asynccontextmanager
async def written_down(store: Store, actor: str, action: str, subject: str) -> AsyncIterator[None]:
    """Rows around what is no single transaction. An error that they tell of is marked, so that nobody else does."""
    label = store.digests.label(subject)
    row = partial(audit.append, actor=actor, action=action, subject=label)
    await store.write(partial(row, outcome=Outcome.BEGUN))
    try:
        yield
    except LegalHold as error:
        await store.write(partial(audit.refused, actor=actor, action=action, subject=label))
        error.written_down = True
        raise
    except BaseException as error:
        await store.write(partial(row, outcome=Outcome.FAILED))
        if isinstance(error, PosternError):
            error.written_down = True
        raise
    await store.write(partial(row, outcome=Outcome.DONE))
