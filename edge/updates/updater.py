"""Carries updates out: what `edge.updates.steps` says, done by installers, each step durable before the next.

Two loops: one carries on what is before or beyond the watch, one after the other; the other looks each second at what
is watched, so that a way back never waits for a download. Serving waits for neither.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from sqlite_utils import Database

from core.artifacts import InvalidArtifact, Manifest, read_manifest
from core.errors import PosternError
from edge.egress.fetch.client import FetchFailed
from edge.store.store import Store
from edge.updates import rows
from edge.updates.chunks import ChunkDamaged, ChunkStore, StoredContent, UpdateDiskFull
from edge.updates.fetching import Fetching, Trust, WindowClosed
from edge.updates.installer import Installer, InstallRefused
from edge.updates.order import makes_way, next_of, waiting
from edge.updates.rows import Noted, UpdateRow
from edge.updates.steps import Damaged, Done, End, Failed, Interrupted, Later, Outcome, Step, Withdrawn, after
from edge.updates.vitals import Observes
from edge.updates.wanted import Update
from edge.updates.watching import SETTLED_S, judge

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
"""At what is watched: with it a way back begins within two seconds of what it is for."""

CALM_LOOKS: Final = 3
"""So many looks in a row must find something wrong: what a change itself brings with it is over by then."""

NOTE_EVERY_BYTES: Final = 4 * 1024 * 1024
"""How often it is noted how much was fetched; the chunks themselves say what is here."""


class Updater:
    """The updates of one node. `want` says what it is to run; `run` carries that out until cancelled."""

    def __init__(
        self,
        store: Store,
        trust: Trust,
        chunks: ChunkStore,
        fetching: Fetching,
        installers: Mapping[str, Installer],
        vitals: Observes,
        *,
        fits: Callable[[Manifest], str] = lambda _: "",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        look_every_s: float = LOOK_EVERY_S,
        settled_s: float = SETTLED_S,
    ) -> None:
        """`fits`: what the node lacks of what a manifest requires, as a short code."""
        self._store = store
        self._trust = trust
        self._chunks = chunks
        self._fetching = fetching
        self._installers = installers
        self._vitals = vitals
        self._fits = fits
        self._now_ms = now_ms
        self._look_every_s = look_every_s
        self._settled_s = settled_s
        self._wanted: tuple[Update, ...] | None = None
        self._reconciled: tuple[Update, ...] | None = None
        """Of `_wanted`, what was last begun and given up by."""
        self._changed = asyncio.Event()
        self._rows: list[UpdateRow] = []
        self._changing = asyncio.Lock()
        """Held while something of the site changes: one goes forth or back at a time."""
        self._wrong: dict[int, int] = {}
        self._began_s = time.monotonic()
        self._returning: set[int] = set()
        """What the watch is taking back itself."""
        self._activated: set[int] = set()
        """By this process, whose sums began before."""
        self._moving = asyncio.Lock()

    def want(self, updates: Sequence[Update]) -> None:
        """What this node is to run from now on."""
        if self._wanted != tuple(updates):
            self._wanted = tuple(updates)
            self._changed.set()

    def running(self) -> tuple[UpdateRow, ...]:
        """What is under way."""
        return tuple(self._rows)

    async def run(self) -> None:
        """Until cancelled. What a restart cut off goes on. Raises what the store raises."""
        await self._pick_up()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work_on(), name="updates")
            group.create_task(self._watch_on(), name="updates-watch")

    async def _pick_up(self) -> None:
        self._rows = await self._store.read(rows.running)
        for row in tuple(self._rows):
            if row.standing.step is Step.WATCH:
                await self._note(row, replace(row.noted, starts=row.noted.starts + 1))
            else:
                await self._move(row, Interrupted())
        await asyncio.to_thread(self._chunks.sweep, _manifests(self._rows))

    async def _work_on(self) -> None:
        while True:
            self._changed.clear()
            await self._reconcile()
            row = self._next()
            if row is not None:
                await self._carry_on(row)
                continue
            timeout = self._until_due_s()
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _watch_on(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            for row in tuple(self._rows):
                if row.standing.step is Step.WATCH and row.running:
                    await self._look_at(row)

    def _next(self) -> UpdateRow | None:
        return next_of(self._rows, self._now_ms(), self._returning)

    def _until_due_s(self) -> float | None:
        due = [row.standing.due_ms for row in waiting(self._rows, self._returning)]
        return max(0.0, (min(due) - self._now_ms()) / 1000) if due else None

    async def _reconcile(self) -> None:
        """Begin what is newly wanted, and give up what is no more."""
        if self._wanted is None:
            return
        self._reconciled = self._wanted
        wanted = {_key(update): update for update in self._reconciled}
        for row in tuple(self._rows):
            if _key(row.update) not in wanted:
                await self._move(row, Withdrawn())
        busy = {(row.update.kind, row.update.name) for row in self._rows}
        now_ms = self._now_ms()
        fresh = [update for update in wanted.values() if (update.kind, update.name) not in busy]

        def begin(db: Database) -> int:
            return sum(rows.begin(db, update, now_ms) for update in fresh)

        if not fresh:
            return
        begun = await self._store.write(begin)
        if begun:
            self._rows = await self._store.read(rows.running)

    async def _carry_on(self, row: UpdateRow) -> None:
        """One step, which ends early when nobody wants it any more and it has changed nothing.

        A fetch makes way for what is more urgent or new, and goes on after it with what is here.
        """
        task = asyncio.create_task(self._outcome_of(row), name=f"update-{row.standing.step}")
        waking = asyncio.create_task(self._changed.wait())
        try:
            while not task.done():
                await asyncio.wait(  # with a timeout, as a way back that comes to be due wakes nobody
                    (task, waking), timeout=self._look_every_s, return_when=asyncio.FIRST_COMPLETED
                )
                if task.done():
                    break
                if self._given_up(row):
                    task.cancel()
                    await asyncio.wait((task,))
                    await self._move(self._current(row), Withdrawn())
                    return
                if self._makes_way(row):
                    return
                if waking.done():
                    self._changed.clear()
                    waking = asyncio.create_task(self._changed.wait())
        finally:
            waking.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        await self._move(self._current(row), task.result())
        self._changed.set()  # what came while it went on is looked at now

    def _makes_way(self, row: UpdateRow) -> bool:
        fresh = self._wanted != self._reconciled and row.standing.step is Step.FETCH
        return fresh or makes_way(row, self._rows, self._now_ms(), self._returning)

    def _given_up(self, row: UpdateRow) -> bool:
        early = {Step.FETCH, Step.VERIFY, Step.STAGE, Step.GATE, Step.ACTIVATE}
        return (
            row.standing.step in early
            and not self._current(row).changes
            and self._wanted is not None
            and _key(row.update) not in {_key(update) for update in self._wanted}
        )

    async def _outcome_of(self, row: UpdateRow) -> Outcome:
        """Carry the step out; whatever goes wrong is an outcome."""
        try:
            return await self._step(row)
        except InstallRefused as refused:
            log.warning("an update is refused", extra=_told(row) | {"detail": refused.detail})
            return Failed(refused.reason, refused.passing)
        except FetchFailed as failed:
            return Failed(failed.reason, passing=failed.reason not in {"kind", "size"})
        except ChunkDamaged:
            return Damaged()
        except WindowClosed:
            return Later("window", round(1000 * self._fetching.look_s))
        except UpdateDiskFull:
            return Failed("disk_full", passing=True)
        except OSError as error:
            log.warning("a step of an update failed", extra=_told(row) | {"errno": error.errno})
            return Failed("disk", passing=True)
        except PosternError as error:
            log.warning("a step of an update failed", extra=_told(row) | {"detail": error.detail})
            return Failed(error.code)
        except Exception:
            log.exception("a step of an update failed", extra=_told(row))
            return Failed("internal_error")

    async def _step(self, row: UpdateRow) -> Outcome:
        update, noted = row.update, row.noted
        installer = self._installers.get(update.kind)
        if installer is None:
            return Failed("unknown_kind")
        match row.standing.step:
            case Step.FETCH:
                return await self._fetch(row, installer)
            case Step.VERIFY:
                manifest = read_manifest(noted.manifest)
                if lacking := self._fits(manifest):
                    return Failed(lacking)
                await asyncio.to_thread(self._chunks.verify, manifest)
            case Step.STAGE:
                content = StoredContent(read_manifest(noted.manifest), self._chunks)
                await installer.discard(update, noted.staged)
                staged = await installer.stage(update, content)
                await self._note(row, replace(noted, staged=staged))
            case Step.GATE:
                try:
                    figures = await installer.gate(update, noted.staged)
                except InstallRefused as refused:
                    await self._note(row, replace(noted, figures=refused.figures))
                    raise
                await self._note(row, replace(noted, figures=figures))
            case Step.ACTIVATE:
                await self._ask_again(row)
                await self._activate(row, installer)
            case Step.KEEP:
                await installer.keep(update, noted.staged, noted.way_back)
            case Step.ROLL_BACK:
                async with self._changing:
                    await installer.roll_back(update, noted.staged, noted.way_back)
            case Step.WATCH:
                raise AssertionError("what is watched is looked at elsewhere")
        return Done()

    async def _fetch(self, row: UpdateRow, installer: Installer) -> Outcome:
        """The manifest is asked for each time: what was signed anew meanwhile counts. Raises WindowClosed."""
        if row.noted.manifest:
            self._fetching.check_window(read_manifest(row.noted.manifest))
        manifest = await self._trust.manifest(row.update)
        if (manifest.kind, manifest.name, manifest.version) != (
            row.update.kind,
            row.update.name,
            row.update.version,
        ):
            return Failed("other_target")
        noted = replace(row.noted, manifest=manifest.content())
        row = await self._note(row, noted)
        files = await asyncio.to_thread(installer.present, row.update)
        present = await self._fetching.take_present(manifest, files)
        row = await self._note(row, replace(noted, bytes_present=noted.bytes_present + present))
        fetched = 0

        async def count(size: int) -> None:
            nonlocal row, fetched
            fetched += size
            if fetched >= NOTE_EVERY_BYTES:
                row = await self._add_fetched(row, fetched)
                fetched = 0

        try:
            await self._fetching.fetch(manifest, count)
        finally:
            await self._add_fetched(row, fetched)
        return Done()

    async def _add_fetched(self, row: UpdateRow, size: int) -> UpdateRow:
        return await self._note(row, replace(row.noted, bytes_fetched=row.noted.bytes_fetched + size))

    async def _ask_again(self, row: UpdateRow) -> None:
        """Whether what was fetched is still trusted, before it changes anything. Raises InstallRefused, FetchFailed.

        Days may lie between: a window, a gate, another update. Without an answer it waits.
        """
        if not row.activating:
            manifest = await self._trust.manifest(row.update)
            if manifest.content() != row.noted.manifest:
                raise InstallRefused("signed_anew", "Other content was signed than what was fetched.")

    async def _activate(self, row: UpdateRow, installer: Installer) -> None:
        """The way back, and how the node did before, are durable before anything changes."""
        async with self._changing:
            if not row.activating:
                way_back = await installer.way_back(row.update, row.noted.staged)
                baseline = await self._vitals.baseline(self._now_ms())
                noted = replace(row.noted, way_back=way_back, baseline=baseline)
                row = await self._note(row, noted)
                self._activated.add(row.id)
            await installer.activate(row.update, row.noted.staged, row.noted.way_back)
            await self._note(row, replace(row.noted, activated_ms=self._now_ms()))

    async def _look_at(self, row: UpdateRow) -> None:
        try:
            reason = await self._wrong_with(row)
        except Exception:
            log.exception("an update cannot be watched", extra=_told(row))
            reason = "unwatched"
        if reason:
            self._wrong[row.id] = self._wrong.get(row.id, 0) + 1
            if self._wrong[row.id] >= CALM_LOOKS:
                await self._end_watch(row, Failed(reason))
            return
        self._wrong.pop(row.id, None)
        row = await self._settle(row)
        if self._now_ms() - row.noted.activated_ms >= 1000 * row.update.watch_s:
            await self._end_watch(row, Done())

    async def _settle(self, row: UpdateRow) -> UpdateRow:
        if not row.noted.starts or time.monotonic() - self._began_s < self._settled_s:
            return row
        try:
            await self._installers[row.update.kind].settle(row.update)
        except OSError as error:
            log.warning("starts still count", extra=_told(row) | {"errno": error.errno})
            return row
        return await self._note(row, replace(row.noted, starts=0))

    async def _end_watch(self, row: UpdateRow, outcome: Outcome) -> None:
        """A way back begins here, at once: the other loop may be in the midst of a long step."""
        self._wrong.pop(row.id, None)
        self._returning.add(row.id)
        try:
            moved = await self._move(row, outcome)
            if moved.standing.step is Step.ROLL_BACK and moved.running:
                log.error("an update goes back", extra=_told(row) | {"reason": moved.standing.reason})
                await self._move(moved, await self._outcome_of(moved))
        finally:
            self._returning.discard(row.id)
            self._changed.set()

    async def _wrong_with(self, row: UpdateRow) -> str:
        installer = self._installers[row.update.kind]
        if reason := await installer.health(row.update, row.noted.staged):
            return reason
        before, now = await self._vitals.now(row.noted.baseline)
        if row.id not in self._activated:
            # Counted from the start of a process that has started since.
            before = replace(before, at=replace(before.at, egress_bytes=0))
        since_s = (self._now_ms() - row.noted.activated_ms) / 1000
        watched_s = min(since_s, time.monotonic() - self._began_s)
        return judge(before, now, watched_s, row.noted.starts)

    async def _move(self, row: UpdateRow, outcome: Outcome) -> UpdateRow:
        """Durably to where it stands after `outcome`; what has ended is put away.

        Nothing happens where it has moved on meanwhile: the outcome is of a step that is over.
        """
        async with self._moving:
            if self._current(row).standing != row.standing:
                return self._current(row)
            return await self._move_on(self._current(row), outcome)

    async def _move_on(self, row: UpdateRow, outcome: Outcome) -> UpdateRow:
        now_ms = self._now_ms()
        to = after(row.standing, outcome, now_ms, touched=row.changes)
        if to == row.standing:
            return row
        moved = await self._store.write(partial(rows.move, row=row, to=to, noted=row.noted, at_ms=now_ms))
        if to.reason:
            log.info("an update", extra=_told(moved) | {"reason": to.reason})
        if to.end is None:
            self._rows = [moved if one.id == row.id else one for one in self._rows]
            return moved
        self._rows = [one for one in self._rows if one.id != row.id]
        await self._put_away(moved)
        return moved

    async def _put_away(self, row: UpdateRow) -> None:
        log.info("an update has ended", extra=_told(row) | {"ended": row.standing.end})
        installer = self._installers.get(row.update.kind)
        try:
            if row.standing.end is End.REFUSED and installer is not None:
                await installer.discard(row.update, row.noted.staged)
            await asyncio.to_thread(self._chunks.sweep, _manifests(self._rows))
        except Exception:
            log.exception("what an update has left cannot be put away", extra=_told(row))

    async def _note(self, row: UpdateRow, noted: Noted) -> UpdateRow:
        kept = await self._store.write(partial(rows.note, row=row, noted=noted))
        self._rows = [kept if one.id == row.id else one for one in self._rows]
        return kept

    def _current(self, row: UpdateRow) -> UpdateRow:
        """As it is known by now: a step may have noted something."""
        return next((one for one in self._rows if one.id == row.id), row)


def _manifests(known: Sequence[UpdateRow]) -> list[Manifest]:
    found = []
    for row in known:
        if row.noted.manifest:
            try:
                found.append(read_manifest(row.noted.manifest))
            except InvalidArtifact:
                continue  # of a release with other rules: it is fetched again
    return found


def _key(update: Update) -> tuple[str, str, str, str]:
    return update.rollout, update.kind, update.name, update.version


def _told(row: UpdateRow) -> dict[str, object]:
    update = row.update
    return {"kind": update.kind, "update": update.name, "version": update.version, "step": row.standing.step}
