"""Part of the composition root: how long things are kept and forgotten, what people agreed to, whom a site trusts."""

from __future__ import annotations

from functools import partial
from socket import gethostname
from typing import TYPE_CHECKING

from edge.chat.notice import notice_of
from edge.chat.session_rows import now_ms
from edge.config import Config
from edge.knowledge import versions
from edge.operations.audit import AuditOperations
from edge.operations.backup import BackupOperations
from edge.operations.erasure import ErasureOperations
from edge.operations.keeping import KeepingOperations
from edge.operations.keys import KeysOperations
from edge.operations.trust import TrustOperations
from edge.operations.updates import UpdatesOperations
from edge.privacy.erasure import Beside, Erasure
from edge.privacy.pushed_policies import PushedPolicies
from edge.privacy.retaining import Retaining
from edge.store import consents
from edge.store.store import Store
from edge.updates.knowledge_installer import KnowledgeInstaller
from edge.updates.removing import Removing
from edge.web.admin import Operation

if TYPE_CHECKING:
    from edge.app import Site


async def keep_notice(config: Config, store: Store) -> None:
    """The words that are in force, before anybody can agree to them."""
    notice = notice_of(config.site.name)
    await store.write(partial(consents.keep_words, version=notice.version, text=notice.text, at_ms=now_ms()))


def retaining_of(site: Site) -> Retaining:
    """What purges by age."""
    notice = notice_of(site.config.site.name).version
    sessions = site.sessions
    settings = site.config.retention
    return Retaining(site.store, settings, notice, lambda: len(sessions) == 0, sessions.forget_idle)


def retention_status(retaining: Retaining) -> dict[str, object]:
    """For `postern status`: the last look, for how much longer nothing is purged as the clock is doubted, and when
    the store was last written anew.
    """
    last, anew = retaining.last, {"written_anew_ms": retaining.anew_ms}
    if last is None:
        return {"looked_ms": None, "held_back_s": 0, "alarming": False, **anew}
    return {"looked_ms": last.at_ms, "held_back_s": last.doubted_s, "alarming": last.alarming, **anew}


def erasure_of(site: Site) -> Erasure:
    """Who erases people. Its `finish` comes before anybody is served."""
    beside = Beside(
        caches=(site.embeddings.forget,),
        rows=lambda db: versions.prune(db, now_ms()),
        keys_files=site.backups.keys_files.rewrite,
    )
    return Erasure(site.store, site.config.site.name, site.sessions, beside)


def keeping_operations(site: Site) -> dict[str, Operation]:
    """The command line's."""
    retention = site.config.retention
    rows = AuditOperations(site.store, site.config.site.id, gethostname(), retention.audit_days)
    return {
        **KeepingOperations(site.store, retention).table(),
        **ErasureOperations(site.erasure, site.store).table(),
        **rows.table(),
        **BackupOperations(site.backups).table(),
    }


def keys_operations(site: Site) -> dict[str, Operation]:
    """The command line's: keys, whose updates the site trusts, and what came by that."""
    packs = KnowledgeInstaller(site.paths.packs, site.knowledge)
    removing = Removing(site.store, PushedPolicies(site.paths.pushed_policies), packs)
    return {
        **KeysOperations(site.config, site.paths, site.store).table(),
        **TrustOperations(site.paths.trusted_metadata).table(),
        **UpdatesOperations(site.store, removing).table(),
    }
