-- Frozen: what the step 0009_text_uses made. One statement a line. A later change of the schema is a later step.
CREATE TABLE text_uses (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, purpose TEXT NOT NULL, session TEXT NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT
CREATE INDEX text_uses_session ON text_uses(session, purpose)
CREATE INDEX text_uses_time ON text_uses(purpose, at_ms)
CREATE INDEX text_uses_age ON text_uses(at_ms)
