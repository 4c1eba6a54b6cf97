"""Updates in the store: where each stands, durable before the next step; what became of them goes up as records.

Used inside `Store.read` and `Store.write`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Final

from sqlite_utils import Database

from edge.store.outbox import OutboxClass, append
from edge.updates.installer import Figures
from edge.updates.steps import REMOVED, TRUST_REFUSED, End, Standing, Step
from edge.updates.wanted import Update

_FIGURES: Final = frozenset(each.name for each in fields(Figures))
"""A newer release may have noted others, and have gone back to this one."""

ENDED_KEPT: Final = 100
"""Updates that have ended and are still shown: years of a site."""


@dataclass(frozen=True)
class Noted:
    """What goes with an update, beside where it stands."""

    manifest: bytes = b""
    staged: str = ""
    way_back: str = ""
    figures: Figures = field(default_factory=Figures)
    bytes_fetched: int = 0
    bytes_present: int = 0
    baseline: str = ""
    starts: int = 0
    """Of the node, while it is watched."""
    activated_ms: int = 0


@dataclass(frozen=True)
class UpdateRow:
    """An update of this node."""

    id: int
    update: Update
    standing: Standing
    noted: Noted
    changed_ms: int

    @property
    def running(self) -> bool:
        return self.standing.end is None

    @property
    def activating(self) -> bool:
        """Whether ACTIVATE has begun to change the site: what goes back is noted just before."""
        return self.standing.step is Step.ACTIVATE and bool(self.noted.baseline)

    @property
    def changes(self) -> bool:
        """Whether the site is not as it was before, or as it will be."""
        return self.running and (
            self.activating or self.standing.step in {Step.WATCH, Step.KEEP, Step.ROLL_BACK}
        )


_COLUMNS: Final = (
    "id, rollout, kind, name, version, target, watch_s, step, tries, due_ms, reason, ended, manifest, staged, "
    "way_back, figures, baseline, starts, activated_ms, changed_ms"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM updates"  # noqa: S608  (names of columns, from above)


def running(db: Database) -> list[UpdateRow]:
    """Those that have not ended, oldest first."""
    return [_row(found) for found in db.execute(f"{_SELECT} WHERE ended = '' ORDER BY id")]


def listing(db: Database) -> list[UpdateRow]:
    """All that are known, newest first."""
    return [_row(found) for found in db.execute(f"{_SELECT} ORDER BY id DESC")]


def begin(db: Database, update: Update, at_ms: int) -> bool:
    """Note that this is to be carried out; False where it is known already, ended or not.

    What was kept once and made way for another since, or was taken off by the site, is carried out anew: the control
    plane goes back to it.
    """
    db.execute(
        "DELETE FROM updates AS old WHERE rollout = ? AND kind = ? AND name = ? AND version = ? AND (ended = 'removed' "
        "OR ended = 'kept' AND EXISTS (SELECT 1 FROM updates WHERE kind = old.kind AND name = old.name "
        "AND ended = 'kept' AND id > old.id))",
        [update.rollout, update.kind, update.name, update.version],
    )
    cursor = db.execute(
        "INSERT OR IGNORE INTO updates(rollout, kind, name, version, target, watch_s, step, tries, due_ms, reason, "
        "ended, manifest, staged, way_back, figures, baseline, starts, activated_ms, changed_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, 'fetch', 0, 0, '', '', x'', '', '', '{}', '', 0, 0, ?)",
        [
            *(update.rollout, update.kind, update.name, update.version, update.target, update.watch_s),
            at_ms,
        ],
    )
    if not cursor.rowcount:
        return False
    _tell(db, update, Step.FETCH, "begun", "", Noted())
    _forget_old(db)
    return True


def move(db: Database, row: UpdateRow, to: Standing, noted: Noted, at_ms: int) -> UpdateRow:
    """Note where it stands now, with what is known of it, and tell the control plane what is new in that."""
    _save(db, row.id, to, noted, at_ms)
    before = row.standing
    if to.end is not None:
        ended_well = to.end is not End.REFUSED
        _tell(db, row.update, to.step, "done" if ended_well else "failed", to.reason, noted)
    elif to.step is not before.step:
        failed = to.step in {Step.ROLL_BACK, Step.FETCH}
        _tell(db, row.update, before.step, "failed" if failed else "done", to.reason, noted)
        _tell(db, row.update, to.step, "begun", to.reason, noted)
    elif to.reason == TRUST_REFUSED != before.reason:
        # It is tried again, rarely; a rollout of what is signed wrongly must stop before that.
        _tell(db, row.update, to.step, "failed", to.reason, noted)
    return replace(row, standing=to, noted=noted, changed_ms=at_ms)


def take_off(db: Database, kind: str, name: str, at_ms: int) -> UpdateRow | None:
    """Note that the site has taken off what was kept of that name, and tell the control plane; what was kept last."""
    of_name = "kind = ? AND name = ? AND ended = 'kept'"
    found = db.execute(f"{_SELECT} WHERE {of_name} ORDER BY id DESC LIMIT 1", [kind, name]).fetchone()
    if found is None:
        return None
    row = _row(found)
    to = Standing(Step.ROLL_BACK, reason=REMOVED, end=End.REMOVED)
    # Those that it made way for would else count as kept again.
    db.execute(f"UPDATE updates SET ended = 'removed' WHERE {of_name}", [kind, name])  # noqa: S608  (from above)
    return move(db, row, to, row.noted, at_ms)


def note(db: Database, row: UpdateRow, noted: Noted) -> UpdateRow:
    """What is known of it, where it stands as before. Tells nobody."""
    _save(db, row.id, row.standing, noted, row.changed_ms)
    return replace(row, noted=noted)


def _save(db: Database, row_id: int, to: Standing, noted: Noted, at_ms: int) -> None:
    figures = asdict(noted.figures) | {
        "bytes_fetched": noted.bytes_fetched,
        "bytes_present": noted.bytes_present,
    }
    db.execute(
        "UPDATE updates SET step = ?, tries = ?, due_ms = ?, reason = ?, ended = ?, manifest = ?, staged = ?, "
        "way_back = ?, figures = ?, baseline = ?, starts = ?, activated_ms = ?, changed_ms = ? WHERE id = ?",
        [
            *(to.step.value, to.tries, to.due_ms, to.reason, to.end.value if to.end else ""),
            *(noted.manifest if to.end is None else b"", noted.staged, noted.way_back),
            *(json.dumps(figures), noted.baseline, noted.starts, noted.activated_ms, at_ms, row_id),
        ],
    )


def _tell(db: Database, update: Update, step: Step, outcome: str, reason: str, noted: Noted) -> None:
    record: dict[str, str | int | None] = {
        **update.model_dump(include={"rollout", "kind", "name", "version"}),
        "step": step.value,
        "outcome": outcome,
        "reason": reason,
        **asdict(noted.figures),
        "bytes_fetched": noted.bytes_fetched or None,
        "bytes_present": noted.bytes_present or None,
    }
    append(db, OutboxClass.STATE, "update.step", record)


def _forget_old(db: Database) -> None:
    db.execute(
        "DELETE FROM updates WHERE ended <> '' AND id NOT IN "
        "(SELECT id FROM updates WHERE ended <> '' ORDER BY id DESC LIMIT ?)",
        [ENDED_KEPT],
    )


def _row(found: tuple[object, ...]) -> UpdateRow:
    values = dict(zip((name.strip() for name in _COLUMNS.split(",")), found, strict=True))
    figures = json.loads(str(values["figures"]))
    fetched, present = figures.pop("bytes_fetched", 0), figures.pop("bytes_present", 0)
    update = Update.model_validate(
        {name: values[name] for name in ("kind", "name", "version", "target", "rollout", "watch_s")}
    )
    ended = str(values["ended"])
    standing = Standing(
        Step(str(values["step"])),
        _number(values["tries"]),
        _number(values["due_ms"]),
        str(values["reason"]),
        End(ended) if ended else None,
    )
    noted = Noted(
        bytes(values["manifest"]),  # type: ignore[call-overload]
        str(values["staged"]),
        str(values["way_back"]),
        Figures(**{name: figures[name] for name in _FIGURES & figures.keys()}),
        fetched,
        present,
        str(values["baseline"]),
        _number(values["starts"]),
        _number(values["activated_ms"]),
    )
    return UpdateRow(_number(values["id"]), update, standing, noted, _number(values["changed_ms"]))


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
