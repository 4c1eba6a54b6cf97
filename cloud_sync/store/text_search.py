"""Part of a text in a column, in any case, on either engine."""

from __future__ import annotations

import sqlalchemy as sa


def holds(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a column has the text, in any case. SQLite folds ASCII only, hence also as typed."""
    folded = sa.func.lower(column).contains(text.lower(), autoescape=True)
    return folded | column.contains(text, autoescape=True)
