"""Changes of the tables, oldest first. Alembic reads them by path."""
