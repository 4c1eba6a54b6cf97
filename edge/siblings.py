"""Part of the composition root: conversations that go on at another node of the site, or come from one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.chat.continuing import Continuing
from edge.chat.notice import Notice
from edge.keys import siblings as shared_key
from edge.operations.siblings import SiblingsOperations
from edge.web.admin import Operation
from edge.web.siblings import SiblingsApi

if TYPE_CHECKING:
    from edge.app import Site


@dataclass(frozen=True)
class Siblings:
    """`continuing`: None where the settings name no other node."""

    continuing: Continuing | None
    api: SiblingsApi


def siblings_of(site: Site, notice: Notice) -> Siblings:
    """As the settings say. Raises ConfigError where they name siblings and there is no key."""
    config = site.config
    if not config.siblings.urls:
        return Siblings(None, SiblingsApi(config.site.id, "", notice.version))
    key = shared_key.read(shared_key.key_file(site.paths, config))
    continuing = Continuing(site.store, site.sessions, key, config.site.id, notice.version)
    api = SiblingsApi(config.site.id, shared_key.fingerprint(key), notice.version)
    return Siblings(continuing, api)


def siblings_operations(site: Site) -> dict[str, Operation]:
    """The command line's."""
    return SiblingsOperations(site.config, site.paths).table()
