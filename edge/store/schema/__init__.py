"""What the store holds. A table belongs to one of the files here, by whom or what it is about."""

from __future__ import annotations

from edge.store.schema.keys import KEYS as KEY_TABLES
from edge.store.schema.knowledge import KNOWLEDGE
from edge.store.schema.operations import OPERATIONS
from edge.store.schema.people import PEOPLE
from edge.store.schema.staff import STAFF
from edge.store.schema.tags import Column, Kind, Retention, Table, statements

TABLES: dict[str, Table] = {**PEOPLE, **KNOWLEDGE, **STAFF, **OPERATIONS}

__all__ = ["KEY_TABLES", "TABLES", "Column", "Kind", "Retention", "Table", "statements"]
