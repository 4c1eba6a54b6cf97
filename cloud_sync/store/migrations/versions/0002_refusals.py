"""Logins are bound to the browser that made them; refusals are rows of audit, counted.

Logins of before are bound to none: they end, and their admins log in again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("audit", sa.Column("count", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("web_sessions", sa.Column("bound_to", sa.LargeBinary(), nullable=True))
    op.execute("DELETE FROM web_sessions")
