-- Frozen: what the step 0011_continuations made. One statement a line. A later change of the schema is a later step.
CREATE TABLE continuations (conversation BLOB PRIMARY KEY, moves INTEGER NOT NULL, expires_ms INTEGER NOT NULL) STRICT
