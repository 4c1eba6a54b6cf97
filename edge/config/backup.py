"""How backups are made, and when it is said that one is due."""

from __future__ import annotations

from pydantic import Field

from edge.config.section import Section


class BackupSection(Section):
    """The site's backups."""

    # A site that loses a week of tickets and documents can still put them together from paper.
    warn_after_days: int = Field(default=7, ge=1, le=366)
    # On two busy cores turns did not notice 8; at 40 the encoder was seen to wait. A gigabyte takes a minute.
    mb_per_s: int = Field(default=16, ge=1, le=10_000)
