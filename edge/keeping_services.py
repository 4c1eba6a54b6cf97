"""Part of the composition root: how long things are kept, and what people agreed to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge.chat.notice import notice_of
from edge.chat.session_rows import now_ms
from edge.config import Config
from edge.operations.keeping import KeepingOperations
from edge.store import consents
from edge.store.store import Store
from edge.web.admin import Operation

if TYPE_CHECKING:
    from edge.app import Site


async def keep_notice(config: Config, store: Store) -> None:
    """The words that are in force, before anybody can agree to them."""
    notice = notice_of(config.site.name)
    await store.write(partial(consents.keep_words, version=notice.version, text=notice.text, at_ms=now_ms()))


def keeping_operations(site: Site) -> dict[str, Operation]:
    """The command line's."""
    return KeepingOperations(site.store, site.config.retention).table()
