-- Frozen: what the step 0006_api_keys made. One statement a line. A later change of the schema is a later step.
CREATE TABLE api_keys (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key_hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL, requests_per_minute INTEGER NOT NULL, tokens_per_minute INTEGER NOT NULL, concurrent_max INTEGER NOT NULL, notice_version TEXT, created_ms INTEGER NOT NULL, used_day INTEGER, revoked_ms INTEGER) STRICT
CREATE UNIQUE INDEX api_keys_name ON api_keys(name) WHERE revoked_ms IS NULL
