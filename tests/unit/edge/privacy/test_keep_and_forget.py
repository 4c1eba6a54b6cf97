"""People come, are erased, held and released, while backups are made and put back, here and on other machines.

After each step the site has exactly what the model says: nothing of somebody who was erased, whichever backup came
back; all of somebody who is held; and what is there can be read.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pyrage.x25519 import Identity

from edge.apart import Done
from edge.chat.session_rows import identifiers, now_ms
from edge.config import SitePaths, site_paths
from edge.keys import recovery
from edge.privacy.backup import backups as backups_module
from edge.privacy.backup import making
from edge.privacy.backup.backups import Backups
from edge.privacy.backup.keys_file import beside
from edge.privacy.backup.restoring import Wanted, restore
from edge.privacy.erasure import Beside, Erasure
from edge.privacy.holds import LegalHold
from edge.site_setup import create_site
from edge.store.subjects import load_key, of_ticket
from models.progress import silent
from tests.unit.edge.privacy.erasure_rig import OFFICER, WORDS, Site, open_site

T = TypeVar("T")
PEOPLE = st.sampled_from(["patient-1", "patient-2", "patient-3"])


@dataclass(frozen=True)
class Row:
    """A conversation or a ticket: whose, and by which key it can be read."""

    subject: str
    key: int


@dataclass
class Keys:
    """Which there are. A person's goes with an erasure and with their last conversation, a ticket's with an erasure."""

    of_people: dict[str, int] = field(default_factory=dict)
    of_tickets: dict[int, str] = field(default_factory=dict)
    """With whose each is: an erasure finds also those whose ticket only a backup has."""


@dataclass
class People:
    """What the site should have."""

    sessions: dict[str, Row] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    """Conversations that are over and kept for a hold."""
    tickets: dict[str, Row] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        """Conversations that go on, in the order in which they began; their names differ from run to run."""
        return [name for name in self.sessions if name not in self.ended]


@dataclass(frozen=True)
class Backup:
    """A backup and what it holds."""

    file: Path
    people: People


async def _here(_: str, task: dict[str, Any], report: Any, *__: object) -> Done:
    """The child's work in this process: hundreds of backups are made."""
    return making.work(task, report)


class KeepAndForget(RuleBasedStateMachine):
    """One site, wherever it is by now."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="postern-test-"))
        self.loop = asyncio.new_event_loop()
        self.machines = self.number = self.made_keys = 0
        self.people = People()
        self.keys = Keys()
        self.beside = Keys()
        """As they were when the files beside the backups were last written."""
        self.erased: set[str] = set()
        self.holds: dict[str, bool] = {}
        """Whether an erasure waits for the release."""
        self.paths = self._next_machine()
        create_site(self.paths, "clinic")
        self.identity: Identity = recovery.identity(self.paths.recovery_key.read_text().strip())
        self._start()

    def teardown(self) -> None:
        self._stop()
        self.loop.close()
        shutil.rmtree(self.folder)

    # --- what happens ---

    @rule(subject=PEOPLE)
    def come(self, subject: str) -> None:
        new, number = self._run(self.site.visit(subject))
        self.made_keys += 1
        key = self.keys.of_people.setdefault(subject, self.made_keys)
        self.people.sessions[new.session.id] = Row(subject, key)
        self.people.tickets[number] = Row(subject, self.made_keys)
        self.keys.of_tickets[self.made_keys] = subject

    @precondition(lambda self: self.people.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        session = self.people.open[data.draw(st.integers(0, len(self.people.open) - 1))]
        held = self.people.sessions[session].subject in self.holds
        assert self._run(self.site.desk.sessions.wipe(session)) is not held
        if held:
            self.people.ended.add(session)
        else:
            self._gone(session)

    @rule(subject=PEOPLE)
    def erase(self, subject: str) -> None:
        if subject in self.holds:
            with pytest.raises(LegalHold):
                self._run(self.site.erasure.erase(subject, OFFICER))
            self.holds[subject] = True
            self._keys_written()
            return
        receipt = self._run(self.site.erasure.erase(subject, OFFICER))
        rows = [*self.people.sessions.values(), *self.people.tickets.values()]
        assert receipt["found"] or not any(row.subject == subject for row in rows)
        self._forget(subject)

    @rule(subject=PEOPLE)
    def hold(self, subject: str) -> None:
        if subject not in self.holds:
            self._run(self.site.erasure.hold(subject, "case 7", OFFICER))
            self.holds[subject] = False
            self._keys_written()

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from(sorted(self.holds)))
        released = self._run(self.site.erasure.release(subject, OFFICER))
        assert (released.receipt is not None) is self.holds.pop(subject)
        if released.receipt is not None:
            self._forget(subject)
        self._keys_written()
        self._sweep()

    @rule(target=made)
    def back_up(self) -> Backup:
        self.number += 1
        file = self.folder / f"{self.number}.age"
        self._run(self.backups.make(file, silent, replace=False))
        self._keys_written()
        return Backup(file, deepcopy(self.people))

    @rule(backup=made)
    def put_back(self, backup: Backup) -> None:
        """On the machine that made it, or has it by now: its list of erasures and its holds stay."""
        self._stop()
        restore(self.paths, Wanted(backup.file, [self.identity], None, True, OFFICER), silent)
        self._back(backup)

    @rule(backup=made)
    def move(self, backup: Backup) -> None:
        """The machine is lost; another gets the backup and the keys beside it, as they were last written."""
        self._stop()
        self.keys = deepcopy(self.beside)
        self.paths = self._next_machine()
        restore(self.paths, Wanted(backup.file, [self.identity], beside(backup.file), False, OFFICER), silent)
        self._back(backup)

    # --- what must be ---

    @invariant()
    def the_site_has_what_it_should(self) -> None:
        sessions, tickets, words = self._run(self._stored())
        assert sessions == {name: row.subject for name, row in self.people.sessions.items()}
        assert tickets == {name: row.subject for name, row in self.people.tickets.items()}
        assert words == [WORDS] * len(sessions), "and it can be read"

    @invariant()
    def holds_stay(self) -> None:
        holds = self._run(self.site.erasure.holds())
        assert {hold.subject: hold.erasure_asked_ms is not None for hold in holds} == self.holds

    @invariant()
    def every_erasure_is_on_the_list(self) -> None:
        digests = self.site.desk.store.digests
        listed = {erased.digest for erased in self._run(self.site.erasure.erasures())}
        assert listed == {digests.of(subject) for subject in self.erased}

    # --- how ---

    async def _stored(self) -> tuple[dict[str, str], dict[str, str], list[str]]:
        store = self.site.desk.store
        sessions = await store.read(
            lambda db: dict(db.execute("SELECT id, subject FROM sessions").fetchall())
        )
        tickets = await store.read(
            lambda db: dict(db.execute("SELECT ticket, subject FROM handoffs").fetchall())
        )
        words = []
        for turn, session, body in await store.read(
            lambda db: db.execute("SELECT id, session, body FROM turns").fetchall()
        ):
            key = await store.read_keys(partial(load_key, subject=sessions[session]))
            assert key is not None
            words.append(
                WORDS if WORDS in key.open("turns", turn, "body", bytes(body)).decode() else "something else"
            )
        for number in tickets:
            assert await store.read_keys(partial(load_key, subject=of_ticket(number))) is not None
        return sessions, tickets, words

    def _forget(self, subject: str) -> None:
        """Erased: of this life nothing comes back."""
        self.erased.add(subject)
        self.keys.of_people.pop(subject, None)
        self.keys.of_tickets = {key: whose for key, whose in self.keys.of_tickets.items() if whose != subject}
        self.people = self._readable(self.people)
        self._keys_written()

    def _keys_written(self) -> None:
        self.beside = deepcopy(self.keys)

    def _gone(self, session: str) -> None:
        """A conversation was wiped."""
        row = self.people.sessions.pop(session)
        if all(other.subject != row.subject for other in self.people.sessions.values()):
            del self.keys.of_people[row.subject]

    def _readable(self, people: People) -> People:
        """Of these, those whose keys are there."""
        return People(
            {n: row for n, row in people.sessions.items() if row.key == self.keys.of_people.get(row.subject)},
            set(people.ended),
            {n: row for n, row in people.tickets.items() if row.key in self.keys.of_tickets},
        )

    def _back(self, backup: Backup) -> None:
        self.people = self._readable(deepcopy(backup.people))
        self._start()

    def _next_machine(self) -> SitePaths:
        self.machines += 1
        return site_paths(self.folder / f"machine-{self.machines}")

    def _start(self) -> None:
        self.open = AsyncExitStack()
        self.site: Site = self._run(self.open.enter_async_context(open_site(self.paths.root)))
        store, sessions = self.site.desk.store, self.site.desk.sessions
        self.backups = Backups(store, self.paths)
        self.site.erasure = Erasure(
            store, "Clinic", sessions, Beside(keys_files=self.backups.keys_files.rewrite)
        )
        for session in self._run(store.read(identifiers)):  # as the sweeper begins
            self._run(sessions._load(session))
        self._sweep()

    def _sweep(self) -> None:
        """Conversations that were kept for a hold which is no more."""
        self._run(self.site.desk.sessions.sweep_once())
        for session in set(self.people.ended):
            row = self.people.sessions.get(session)
            if row is None or row.subject not in self.holds:
                self.people.ended.discard(session)
            if row is not None and row.subject not in self.holds:
                self._gone(session)

    def _stop(self) -> None:
        self._run(self.open.aclose())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Each step in a millisecond of its own, as people's are."""
        before = now_ms()
        result = self.loop.run_until_complete(work)
        while now_ms() == before:
            pass
        return result


@pytest.mark.proves("erasure", "legal-hold", "backup")
@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 14), pytest.param(150, 25, marks=[pytest.mark.long, pytest.mark.timeout(0)])]
)
def test_whatever_happens(monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    monkeypatch.setattr(backups_module, "work_apart", _here)
    monkeypatch.setattr(making, "_step_back", lambda: None)
    run_state_machine_as_test(
        KeepAndForget,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # A story of real files takes a second: it is told as it was found.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
