"""People with everything that a site may hold of them, and who erases them: for tests of forgetting and of holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from edge.chat import feedback
from edge.chat.session import Channel, NewSession
from edge.chat.session_rows import now_ms
from edge.config import HandoffSection, site_paths
from edge.config.handoff import SmtpSection
from edge.keys import SiteKeys, recovery
from edge.knowledge import versions
from edge.privacy import receipts
from edge.privacy.backup import keys_file, rows
from edge.privacy.backup.keys_file import KeysFiles, beside
from edge.privacy.backup.rows import Made
from edge.privacy.erasure import Beside, Erasure
from edge.privacy.pseudonyms.vault import Vault
from edge.privacy.receipts import Receipt
from edge.store import lan_uses, text_uses
from edge.store.store import Store
from tests.unit.edge.chat.desk_rig import Rig, rig, scan_forms
from tests.unit.edge.privacy.pseudonyms.texts import token_of

ANNA = "anna"
OFFICER = "officer"
PATIENT = "patient-7"
WORDS = "I am Zacharias Kanarienvogel"
# Every table that a visit leaves a row in, of those that are about people.
VISITED = frozenset(
    {
        "subjects", "sessions", "turns", "citations", "consents", "pseudonyms", "feedback", "handoffs", "messages",
        "notifications", "lan_uses", "text_uses",
    }
)  # fmt: skip


@dataclass
class Site:
    """A desk, who forgets, and what writes keys beside backups. `emptied`: how often the caches were."""

    desk: Rig
    erasure: Erasure
    vault: Vault
    keys_files: KeysFiles
    emptied: list[None] = field(default_factory=list)

    async def visit(self, subject: str | None = None) -> tuple[NewSession, str]:
        """Somebody comes, asks, complains, writes to staff and gets a reply; with the number of the ticket."""
        desk = self.desk
        new = await desk.sessions.create(Channel.API, "en", subject)
        session = await desk.sessions.consent(new.session, "v1", overflow=True)
        turn = await desk.turn(session, WORDS)
        await desk.store.write(lambda db: versions.cite(db, turn, [("hours.md", 1)]))
        await feedback.give(desk.store, session, turn, useful=False, words=WORDS, scan=scan_forms)
        number = (await desk.handoffs.request(session, turn)).number
        await desk.handoffs.write(session, WORDS)
        await desk.inbox.reply(number, ANNA, f"{WORDS}!")
        pseudonyms = await self.vault.open(session.id, session.key, "overflow")
        token_of(pseudonyms, "PERSON", WORDS)
        await self.vault.keep(pseudonyms, session.key, lambda _: None)

        def use(db: Database) -> None:
            text_uses.add(db, "overflow", session.id, "personal", 9, now_ms())
            lan_uses.begin(db, "llm_server", "10.0.0.5", 9, session.id, now_ms())

        await desk.store.write(use)
        return new, number

    async def back_up(self, file: Path) -> None:
        """Keys beside a backup `file`, which itself is not there."""
        made = Made(file.stem, now_ms(), file, beside(file), 1)
        await self.desk.store.write_keys(lambda db: rows.add(db, made))
        await self.keys_files.write(made.keys_file)

    async def counts(self, *, linked: bool = True) -> dict[str, int]:
        """Rows of the tables about people; of those whose rows stay, only the ones that are still `linked`."""

        def count(db: Database) -> dict[str, int]:
            only = {"lan_uses": "session <> ''", "text_uses": "session <> ''", "consents": "digest <> x''"}
            return {
                table: db.execute(
                    f"SELECT count(*) FROM {table} WHERE {only.get(table, '1') if linked else '1'}"
                ).fetchone()[0]
                for table in VISITED
            }

        return await self.desk.store.read(count)

    async def keys(self) -> list[str]:
        """Whose keys there are."""
        return await self.desk.store.read_keys(
            lambda keys: [row[0] for row in keys.execute("SELECT subject FROM subject_keys ORDER BY 1")]
        )


@asynccontextmanager
async def open_site(folder: Path) -> AsyncIterator[Site]:
    """One in `folder`, as it was left; what a stop had interrupted is not finished yet."""
    smtp = SmtpSection(host="10.0.0.1", recipients=("desk@clinic.example",))
    async with rig(folder, HandoffSection(smtp=smtp)) as desk:
        vault = Vault(desk.store, "clinic")
        desk.sessions.on_end.append(vault.forget)
        emptied: list[None] = []
        files = KeysFiles(desk.store, site_paths(folder))
        kept = Beside(
            (lambda: emptied.append(None),), lambda db: versions.prune(db, now_ms()), lambda: files.rewrite()
        )
        yield Site(desk, Erasure(desk.store, "Clinic", desk.sessions, kept), vault, files, emptied)


def known(folder: Path, file: Path) -> set[str]:
    """Whose keys are beside the backup `file` of the site in `folder`."""
    paths = site_paths(folder)
    identity = recovery.identity(paths.recovery_key.read_text().strip())
    tag = keys_file.store_tag(SiteKeys.open(paths).store)
    return {row["subject"] for row in keys_file.read(beside(file), tag, [identity]).tables["subject_keys"]}


def genuine(site: Site, receipt: Receipt) -> Receipt:
    """As it is after it went through a file."""
    found = receipts.parse(json.dumps(receipt))
    receipts.verify(receipts.Kind.ERASURE, found, site.desk.store.keys.receipts.public_key())
    return found


async def audited(site: Site) -> list[tuple[str, str, str, str]]:
    query = "SELECT actor, action, object, outcome FROM audit WHERE action LIKE 'privacy.%' ORDER BY id"
    return await site.desk.store.read(lambda db: db.execute(query).fetchall())


class Stopped(Exception):
    """From here on the process writes nothing more."""


def stop_after(store: Store, steps: int) -> Callable[[], int]:
    """Let so many steps of the store through, and none behind them; how many were let through."""
    done = 0

    def counted(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if done == steps:
                raise Stopped
            done += 1
            return await real(*arguments, **named)

        return step

    for name in ("write", "write_keys", "tidy"):
        setattr(store, name, counted(getattr(store, name)))
    return lambda: done
