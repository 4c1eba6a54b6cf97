"""A desk whose store takes no row, or whose encoder is gone: what is answered, what is not, and what is known later.

The store is a real one, and really cannot be written: the kernel lets no file grow, or SQLite takes it for read-only.
The encoder is a line that raises what a real one does.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.looking_up import EncoderLost
from edge.chat.routing import Route
from edge.chat.session import Channel, NewSession, Session, Sessions
from edge.chat.turn import Desk, Final
from edge.chat.turn_answer import Answer
from edge.chat.unrecorded import ACTION
from edge.config import CardSection, CardTextSection, Config, LimitsSection, SiteSection, site_paths
from edge.inference.scheduler import QueueFull
from edge.store import audit, text_uses
from edge.store.store import Store
from edge.store.unwritable import StoreUnwritable
from models.detect.detector import Detector, Finding
from models.detect.label import Label
from models.errors import RuntimeUnavailable

QUESTION = "When are you open on Saturday?"
EMERGENCY = "I have chest pain and cannot breathe"
HOURS = CardTextSection(hours="Weekdays 9 to 5.", handoff="Ask at reception.")


@dataclass
class Held:
    """A desk, and what a test does to it."""

    store: Store
    sessions: Sessions
    desk: Desk
    trouble: list[PosternError] = field(default_factory=list)
    ended: int = 0
    words: str = "From nine to one."
    scanned: Any = None

    async def submit(self, _: object, **__: object) -> Any:
        if self.trouble:
            raise self.trouble[0]
        question = SimpleNamespace(embedding=None, leans=False)
        understood = SimpleNamespace(question=question, scanned=self.scanned, encoder="", intent=None)
        return SimpleNamespace(understood=understood)

    async def answer(self, *_: object) -> AsyncGenerator[Answer, None]:
        yield Answer(self.words, (), Route.ANSWER)

    async def begin(self, channel: Channel = Channel.KIOSK) -> NewSession:
        return await self.sessions.create(channel, "en")

    async def arrive(self, channel: Channel = Channel.KIOSK, *, overflow: bool = False) -> Session:
        new = await self.begin(channel)
        return await self.sessions.consent(new.session, "v1", overflow)

    async def ask(self, session: Session, text: str = QUESTION) -> dict[str, Any]:
        events = [event async for event in self.desk.turn(session, text)]
        assert isinstance(events[-1], Final)
        return events[-1].body

    async def rows(self, table: str) -> int:
        return int(await self.store.read(lambda db: db[table].count))

    async def gaps(self) -> list[str]:
        found = await self.store.read(lambda db: audit.search(db, audit.AuditFilter(action=ACTION), 10))
        return [row.object.partition(": ")[2] for row in found]

    async def break_(self, fault: str) -> None:
        """Both files take nothing more."""
        if fault == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, _HARD))
        else:
            await self._alone("PRAGMA query_only = ON")

    async def mend(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_SOFT, _HARD))
        await self._alone("PRAGMA query_only = OFF")

    async def pages(self, most: int | None) -> None:
        """The site's file has `most` pages more at most; None: as many as it wants."""

        def limit(db: Database) -> None:
            (count,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count={PAGES_MAX if most is None else count + most}")

        await self.store._site.alone(limit)

    async def _alone(self, statement: str) -> None:
        for writer in (self.store._site, self.store._keys):
            await writer.alone(lambda db: db.execute(statement))


PAGES_MAX = 2**31 - 2
FAULTS = ("full", "read_only")
_SOFT, _HARD = resource.getrlimit(resource.RLIMIT_FSIZE)


@asynccontextmanager
async def held_by(folder: Path, *, unrecorded: bool = True, **card: Any) -> AsyncIterator[Held]:
    store = Store.open(site_paths(folder))
    sessions = Sessions(store, LimitsSection(), unrecorded=unrecorded)
    config = Config(
        site=SiteSection(name="Clinic", id="clinic"), card=CardSection(texts={"en": HOURS}, **card)
    )
    nothing: Any = SimpleNamespace(submit=None)
    desk = Desk(config, sessions, nothing, nothing, Detector("US"))
    held = Held(store, sessions, desk)
    nothing.submit, nothing.ended = held.submit, 0
    desk._answer = held.answer  # type: ignore[method-assign, assignment]
    try:
        yield held
    finally:
        await held.mend()
        await store.close()


@pytest.mark.parametrize("fault", FAULTS)
async def test_answers_go_on_unrecorded_and_are_recorded_again_by_themselves(
    tmp_path: Path, fault: str
) -> None:
    async with held_by(tmp_path) as held:
        before = await held.arrive()
        assert (await held.ask(before))["recorded"] is True
        await held.break_(fault)
        answer = await held.ask(before)
        assert (answer["recorded"], answer["answer"]) == (False, "From nine to one.")
        newcomer = await held.arrive(overflow=True)
        assert (newcomer.recorded, newcomer.overflow_consent) == (False, False)
        assert (await held.ask(newcomer))["recorded"] is False
        assert await held.sessions.wipe(newcomer.id)
        assert held.sessions.unrecorded.reason() == "store_unwritable"
        await held.mend()
        assert (await held.ask(before))["recorded"] is True
        assert held.sessions.unrecorded.reason() == ""
        assert (await held.rows("turns"), await held.rows("sessions")) == (2, 1)
        assert await held.gaps() == ["2 turns, 1 conversations, 0 consents"]
        assert (await held.ask(await held.arrive()))["recorded"] is True
        assert len(await held.gaps()) == 1
        assert held.sessions.unrecorded.counts() == {"turns": 2, "conversations": 1, "consents": 0}


async def test_a_turn_for_which_the_file_has_no_page_left_is_answered_and_leaves_no_half(
    tmp_path: Path,
) -> None:
    async with held_by(tmp_path) as held:
        session = await held.arrive()
        await held.ask(session)
        rows = [await held.rows(table) for table in ("turns", "counters", "outbox")]
        short, held.words = held.words, "nine " * 20_000  # more than what is free in the pages that there are
        await held.pages(0)
        assert (await held.ask(session))["recorded"] is False
        assert [await held.rows(table) for table in ("turns", "counters", "outbox")] == rows
        held.words = short
        await held.pages(None)
        assert (await held.ask(session))["recorded"] is True
        assert await held.rows("turns") == 2
        assert await held.gaps() == ["1 turns, 0 conversations, 0 consents"]


async def test_a_gap_ends_though_nobody_asks(tmp_path: Path) -> None:
    async with held_by(tmp_path) as held:
        session = await held.arrive()
        await held.break_("read_only")
        await held.ask(session)
        await held.sessions.unrecorded.look()
        assert held.sessions.unrecorded.failing
        await held.mend()
        await held.sessions.unrecorded.look()
        assert not held.sessions.unrecorded.failing
        assert await held.gaps() == ["1 turns, 0 conversations, 0 consents"]


async def test_a_conversation_that_began_unrecorded_stays_so(tmp_path: Path) -> None:
    async with held_by(tmp_path) as held:
        await held.break_("read_only")
        new = await held.begin()
        await held.mend()
        session = await held.sessions.consent(new.session, "v1", overflow=True)
        assert not session.overflow_consent
        assert (await held.ask(session))["recorded"] is False
        assert await held.sessions.get(new.session.id, new.token) == session
        assert await held.sessions.wipe(session.id)
        assert (await held.rows("sessions"), await held.rows("turns")) == (0, 0)


async def test_a_consent_that_cannot_be_recorded_permits_nothing(tmp_path: Path) -> None:
    async with held_by(tmp_path) as held:
        new = await held.begin()
        await held.break_("read_only")
        session = await held.sessions.consent(new.session, "v1", overflow=True)
        assert (session.consented, session.overflow_consent, session.recorded) == (True, False, False)
        await held.mend()
        assert await held.sessions.wipe(session.id)
        assert await held.rows("sessions") == 0


@pytest.mark.parametrize(("fault", "unrecorded"), [("full", True), ("read_only", False)])
async def test_a_consent_is_not_taken_back_off_the_record(
    tmp_path: Path, fault: str, unrecorded: bool
) -> None:
    async with held_by(tmp_path, unrecorded=unrecorded) as held:
        session = await held.arrive(overflow=True)
        await held.break_(fault)
        for again in (False, None, True):
            with pytest.raises(StoreUnwritable):
                await held.sessions.consent(session, "v1", again)
        assert held.store.off_record == {session.id}
        await held.mend()
        session = await held.sessions.consent(session, "v1", False)
        assert (session.recorded, session.overflow_consent) == (True, False)
        found = await held.store.read(lambda db: text_uses.conversation(db, session.id))
        assert found
        assert not found.consent
        assert held.store.off_record == {session.id}
        await held.sessions.wipe(session.id)
        assert not held.store.off_record


@pytest.mark.parametrize("unrecorded", [True, False])
async def test_after_a_turn_that_was_not_recorded_nothing_of_the_conversation_leaves(
    tmp_path: Path, unrecorded: bool
) -> None:
    async with held_by(tmp_path, unrecorded=unrecorded) as held:
        session, other = await held.arrive(), await held.arrive()
        await held.ask(session)
        assert not held.store.off_record
        await held.break_("full")
        with nullcontext() if unrecorded else pytest.raises(StoreUnwritable):
            await held.ask(session)
        await held.mend()
        await held.ask(session)
        await held.ask(other)
        assert held.store.off_record == {session.id}
        await held.sessions.wipe(session.id)
        assert not held.store.off_record


async def test_a_text_that_nobody_looked_at_counts_as_the_most_sensitive(tmp_path: Path) -> None:
    async with held_by(tmp_path) as held:
        held.scanned = SimpleNamespace(finding=Finding((), Label.PUBLIC, complete=True), seconds=0.0)
        session = await held.arrive()

        async def labels() -> set[str]:
            found = await held.store.read(lambda db: text_uses.conversation(db, session.id))
            assert found
            return set(found.labels)

        await held.ask(session)
        assert await labels() == {"public"}
        held.trouble.append(QueueFull(3.0))
        await held.ask(session)
        assert "special" in await labels()


@pytest.mark.parametrize("fault", FAULTS)
async def test_where_the_site_wants_records_nothing_is_answered_without(tmp_path: Path, fault: str) -> None:
    async with held_by(tmp_path, unrecorded=False) as held:
        session = await held.arrive()
        await held.break_(fault)
        with pytest.raises(StoreUnwritable) as refused:
            await held.ask(session)
        assert refused.value.retry_after_s
        with pytest.raises(StoreUnwritable):
            await held.begin()
        assert held.desk.ladder.counts()["refused"] == 1
        danger = await held.ask(session, EMERGENCY)
        assert (danger["route"], danger["recorded"]) == ("safety", False)
        await held.mend()
        assert (await held.ask(session))["recorded"] is True
        assert await held.gaps() == ["1 turns, 0 conversations, 0 consents"]


@pytest.mark.parametrize(
    ("trouble", "told"), [(QueueFull(3.0), QueueFull), (RuntimeUnavailable("gone"), EncoderLost)]
)
async def test_people_get_the_desks_card_where_nothing_can_be_looked_up_and_programs_are_told_at_once(
    tmp_path: Path, trouble: PosternError, told: type[PosternError]
) -> None:
    async with held_by(tmp_path, per_minute=2) as held:
        held.trouble.append(trouble)
        for channel in (Channel.KIOSK, Channel.INTRANET):
            answer = await held.ask(await held.arrive(channel))
            assert (answer["route"], answer["recorded"]) == ("handoff", True)
            assert answer["answer"] == "Weekdays 9 to 5.\nAsk at reception."
            assert answer["card"]["kind"] == "desk"
            assert answer["retry_after_s"] == told(3.0).retry_after_s if told is QueueFull else 5
        for channel in (Channel.API, Channel.KIOSK):  # … and customers once there are no cards left
            with pytest.raises(told) as refused:
                await held.ask(await held.arrive(channel))
            assert refused.value.status == 503
            assert refused.value.retry_after_s
        assert held.desk.ladder.counts() == {"generative": 0, "extractive": 0, "card": 2, "refused": 2}
        danger = await held.ask(await held.arrive(), EMERGENCY)
        assert danger["route"] == "safety"
        assert await held.rows("unanswered") == 0  # nobody looked: the documents may well have it


async def test_a_card_needs_neither_encoder_nor_store(tmp_path: Path) -> None:
    async with held_by(tmp_path, unrecorded=False) as held:
        session = await held.arrive()
        held.trouble.append(RuntimeUnavailable("gone"))
        await held.break_("full")
        answer = await held.ask(session)
        assert (answer["card"]["text"], answer["recorded"]) == ("Weekdays 9 to 5.", False)
