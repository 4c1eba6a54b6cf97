"""What a backup consists of: its parts by name, the head that says what it is, the manifest that holds it together.

Rules only; the file itself is `core.archives`. The head is the first part, so that a file of another kind or release is
told before anything is read; the manifest is the last, with size and SHA-256 of every part before it, so that a backup
is written in one go.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.archives import BackupUnusable, Manifest, Part

FORMAT: Final = 1
SETTINGS, POLICY, POLICY_PUBLIC = "site.toml", "policy.toml", "keys/policy.pub"
POLICY_KEY: Final = "keys/policy.key"
DATA_KEYS: Final = "keys.json"
"""The keys of the store and of receipts. Never a person's."""
INTENTS, QUESTIONS = "intents.csv", "questions.jsonl"
LEDGER: Final = "ledger.db"
STORE_LOG, STORE = "store/site.db-wal", "store/site.db"
DOCUMENTS, POLICIES, PACKS = "documents/", "updates/policies/", "updates/packs/"
"""Before the names of files below these folders: the site's documents, and what came as updates."""

POLICIES_USED: Final = "policies/"
"""The same of the policies by which texts left."""

PARTS: Final = (
    SETTINGS,
    POLICY,
    POLICY_PUBLIC,
    POLICY_KEY,
    DATA_KEYS,
    INTENTS,
    QUESTIONS,
    LEDGER,
    STORE_LOG,
    STORE,
)
FOLDERS: Final = (DOCUMENTS, POLICIES, PACKS, POLICIES_USED)
NEEDED: Final = frozenset({SETTINGS, DATA_KEYS, STORE, STORE_LOG})

SMALL_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of a part that is held in memory: the manifest of 300,000 documents has some 40 MB."""

DOCUMENT_NAME_BYTES_MAX: Final = 4096
"""PATH_MAX of Linux."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Head(_Frozen):
    """What a backup says of itself first. `left_out`: what is not in it and must come from elsewhere, in sentences."""

    format: Literal[1]
    id: str
    product: str
    site: str
    site_id: str
    made_ms: int
    encoder: str
    store: str
    left_out: tuple[str, ...]


def read_head(content: bytes) -> Head:
    """Raises BackupUnusable."""
    try:
        return Head.model_validate_json(content)
    except ValidationError as error:
        if any(item["loc"] == ("format",) for item in error.errors()):
            raise BackupUnusable(
                "It was made by another version of Postern.",
                remedy="Restore with the version that made it, or a later one.",
            ) from None
        raise BackupUnusable("It does not begin as a backup of Postern does.") from None


def folder_of(name: str) -> str:
    """Of FOLDERS, the one that a part of this name lies below; "" for none."""
    return next((folder for folder in FOLDERS if name.startswith(folder)), "")


def check_name(name: str) -> None:
    """Whether a part may have this name: one of ours, or a file below one of our folders. Raises BackupUnusable.

    Nothing that climbs out of its folder, nothing hidden behind another spelling.
    """
    if name in PARTS:
        return
    inside = name.removeprefix(folder_of(name))
    path = PurePosixPath(inside)
    plain = str(path) == inside and "\0" not in name and len(name.encode()) <= DOCUMENT_NAME_BYTES_MAX
    if inside == name or not inside or not plain or path.is_absolute() or {"..", "."} & set(path.parts):
        raise BackupUnusable("It holds a part that no backup of Postern has.")


def check_parts(manifest: Manifest, found: dict[str, Part]) -> None:
    """Whether everything is there as it was written. Raises BackupUnusable."""
    if manifest.parts != found:
        raise BackupUnusable("Its parts are not those of its list.")
    if missing := NEEDED - found.keys():
        raise BackupUnusable(f"It lacks {', '.join(sorted(missing))}.")
