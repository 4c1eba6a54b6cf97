-- Frozen: what the step 0007_lan_uses made. One statement a line. A later change of the schema is a later step.
CREATE TABLE lan_uses (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, service TEXT NOT NULL, host TEXT NOT NULL, bytes INTEGER NOT NULL, session TEXT NOT NULL, outcome TEXT NOT NULL) STRICT
CREATE INDEX lan_uses_session ON lan_uses(session)
CREATE INDEX lan_uses_time ON lan_uses(at_ms)
