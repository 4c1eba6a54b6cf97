"""A real turn's sources are kept in the version that it quotes, for as long as the conversation lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.app import Site, open_site
from edge.chat.notice import notice_of
from edge.chat.session import Channel
from edge.chat.turn import Final
from edge.config import site_paths
from edge.knowledge import versions
from edge.knowledge.ingest import now_ms

pytestmark = pytest.mark.models


async def quoted(site: Site, session: str) -> list[tuple[str, int]]:
    query = (
        "SELECT document, citations.version FROM citations JOIN turns ON turns.id = turn WHERE session = ?"
    )
    found = await site.store.read(lambda db: db.execute(query, [session]).fetchall())
    return [(str(document), int(version)) for document, version in found]


@pytest.mark.long
@pytest.mark.proves("sources")
async def test_what_a_turn_quotes_stays_until_its_conversation_is_wiped(clinic: Path) -> None:
    async with open_site(site_paths(clinic)) as site:
        new = await site.sessions.create(Channel.API, "en")
        notice = notice_of(site.config.site.name).version
        session = await site.sessions.consent(new.session, notice, overflow=False)
        async for event in site.desk.turn(session, "When are you open on Saturday?"):
            if isinstance(event, Final):
                body = event.body
        cited = [(citation["doc"], citation["version"]) for citation in body["citations"]]  # type: ignore[attr-defined]
        assert cited
        assert sorted(await quoted(site, session.id)) == sorted(set(cited))
        document, version = cited[0]
        assert await site.knowledge.remove(document)
        later = now_ms() + versions.UNCITED_MS
        await site.store.write(lambda db: versions.prune(db, later))
        (kept,) = await site.knowledge.old_versions(document)
        assert (kept.version, kept.citations) == (version, 1)
        assert any(quote_in(kept.chunks, citation["quote"]) for citation in body["citations"])  # type: ignore[attr-defined]
        await site.sessions.wipe(session.id)
        await site.store.write(lambda db: versions.prune(db, later))
        assert await site.knowledge.old_versions(document) == []


def quote_in(chunks: tuple[tuple[str, str], ...], quote: str) -> bool:
    return any(quote in text for _, text in chunks)
