"""The control plane's tables: SQLAlchemy Core on SQLite or PostgreSQL."""
