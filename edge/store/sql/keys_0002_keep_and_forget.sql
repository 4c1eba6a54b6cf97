-- What was erased and what must stay, beside the keys, so that a restore of the rest changes neither.
CREATE TABLE erasures (digest BLOB NOT NULL, erased_ms INTEGER NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY (digest, erased_ms)) STRICT
CREATE TABLE holds (subject TEXT PRIMARY KEY, reference TEXT NOT NULL, placed_by TEXT NOT NULL, placed_ms INTEGER NOT NULL, erasure_asked_ms INTEGER) STRICT
CREATE TABLE backups (id TEXT PRIMARY KEY, made_ms INTEGER NOT NULL, file TEXT NOT NULL, keys_file TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT
