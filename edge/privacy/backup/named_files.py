"""Which files the settings name that lie outside what a backup holds. Rules only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel


def named_files(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Each setting that names a file, by its whole name, with the file."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from named_files(value, f"{prefix}{name}.")
        elif isinstance(value, Path):
            yield f"{prefix}{name}", value
