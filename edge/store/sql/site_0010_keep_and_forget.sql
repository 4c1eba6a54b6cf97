-- Consents with the words they refer to; whose a ticket is; conversations that a legal hold keeps; break-glass in two halves.
CREATE TABLE consents (id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL, purpose TEXT NOT NULL, notice_version TEXT NOT NULL, given INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT
CREATE INDEX consents_digest ON consents(digest)
CREATE INDEX consents_time ON consents(at_ms)
CREATE TABLE notices (version TEXT PRIMARY KEY, text TEXT NOT NULL, first_ms INTEGER NOT NULL) STRICT
ALTER TABLE sessions ADD COLUMN ended_ms INTEGER
CREATE INDEX sessions_subject ON sessions(subject)
CREATE INDEX sessions_ended ON sessions(subject) WHERE ended_ms IS NOT NULL
ALTER TABLE handoffs ADD COLUMN subject TEXT NOT NULL DEFAULT ''
CREATE INDEX handoffs_subject ON handoffs(subject)
UPDATE handoffs SET subject = coalesce((SELECT subject FROM sessions WHERE sessions.id = handoffs.session), '')
ALTER TABLE operators ADD COLUMN second_hash TEXT
ALTER TABLE operator_sessions ADD COLUMN bound_to BLOB NOT NULL DEFAULT x''
DELETE FROM operator_sessions WHERE seen_ms < expires_ms
ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1
CREATE INDEX audit_object ON audit(object)
