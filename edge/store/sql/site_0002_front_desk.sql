ALTER TABLE sessions ADD COLUMN audience TEXT NOT NULL DEFAULT 'public'
CREATE TABLE citations (turn TEXT NOT NULL, document TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (turn, document, version)) STRICT
CREATE INDEX citations_document ON citations(document, version)
ALTER TABLE handoffs ADD COLUMN queue TEXT NOT NULL DEFAULT 'desk'
ALTER TABLE handoffs ADD COLUMN operator TEXT
ALTER TABLE handoffs ADD COLUMN changed_ms INTEGER NOT NULL DEFAULT 0
CREATE INDEX handoffs_session ON handoffs(session)
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, ticket TEXT NOT NULL, sender TEXT NOT NULL, operator TEXT, created_ms INTEGER NOT NULL, body BLOB NOT NULL) STRICT
CREATE INDEX messages_ticket ON messages(ticket)
CREATE TABLE notifications (id INTEGER PRIMARY KEY AUTOINCREMENT, ticket TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL) STRICT
CREATE INDEX notifications_due ON notifications(state, due_ms)
CREATE TABLE unanswered (id INTEGER PRIMARY KEY AUTOINCREMENT, created_ms INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL, state TEXT NOT NULL, document TEXT) STRICT
CREATE INDEX unanswered_state ON unanswered(state, created_ms)
CREATE TABLE examples (id INTEGER PRIMARY KEY AUTOINCREMENT, created_ms INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, label TEXT NOT NULL, source TEXT NOT NULL) STRICT
CREATE TABLE intent_counts (day INTEGER NOT NULL, intent TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, intent)) STRICT
ALTER TABLE documents ADD COLUMN owner TEXT NOT NULL DEFAULT ''
ALTER TABLE documents ADD COLUMN valid_from_ms INTEGER
ALTER TABLE documents ADD COLUMN valid_until_ms INTEGER
ALTER TABLE documents ADD COLUMN state TEXT NOT NULL DEFAULT 'approved'
ALTER TABLE documents ADD COLUMN language TEXT NOT NULL DEFAULT 'en'
CREATE TABLE document_versions (document TEXT NOT NULL, version INTEGER NOT NULL, title TEXT NOT NULL, audience TEXT NOT NULL, replaced_ms INTEGER NOT NULL, chunks TEXT NOT NULL, PRIMARY KEY (document, version)) STRICT
CREATE TABLE site_models (kind TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, activated_ms INTEGER, figures TEXT NOT NULL, content BLOB NOT NULL, sha256 BLOB NOT NULL, PRIMARY KEY (kind, version)) STRICT
CREATE TABLE operators (name TEXT PRIMARY KEY, role TEXT NOT NULL, display_name TEXT NOT NULL DEFAULT '', password_hash TEXT, oidc_subject TEXT, state TEXT NOT NULL DEFAULT 'active', created_ms INTEGER NOT NULL) STRICT
CREATE TABLE operator_sessions (token_hash BLOB PRIMARY KEY, operator TEXT NOT NULL, expires_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) STRICT
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL) STRICT
CREATE INDEX audit_at ON audit(at_ms)
