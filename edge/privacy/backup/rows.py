"""The list of backups that were made, in the file of keys: functions of the database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from core.archives import BackupFailed


@dataclass(frozen=True)
class Made:
    """One backup."""

    id: str
    made_ms: int
    file: Path
    keys_file: Path
    size: int


def add(keys: Database, made: Made) -> None:
    """Note it, or where it lies now; one that was at the same place, with its keys at the same, is no more.

    Raises BackupFailed for a place that is not given from the root: whoever works elsewhere would not find it.
    """
    if not (made.file.is_absolute() and made.keys_file.is_absolute()):
        raise BackupFailed(
            "The place of a backup is given from the root.", remedy="Give a path that begins with /."
        )
    place = [str(made.file), str(made.keys_file)]
    keys.execute("DELETE FROM backups WHERE id = ? OR (file = ? AND keys_file = ?)", [made.id, *place])
    keys.execute(
        "INSERT INTO backups(id, made_ms, file, keys_file, bytes) VALUES (?, ?, ?, ?, ?)",
        [made.id, made.made_ms, *place, made.size],
    )


def remove(keys: Database, backup_id: str) -> None:
    """There is no such backup after all."""
    keys.execute("DELETE FROM backups WHERE id = ?", [backup_id])


def listing(keys: Database) -> list[Made]:
    """All, newest first."""
    query = "SELECT id, made_ms, file, keys_file, bytes FROM backups ORDER BY made_ms DESC, id"
    return [
        Made(backup_id, made_ms, Path(file), Path(keys_file), size)
        for backup_id, made_ms, file, keys_file, size in keys.execute(query)
    ]
