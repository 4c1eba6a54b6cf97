"""Tables about staff and programs: who may do what, and who did."""

from __future__ import annotations

from edge.store.schema.tags import Retention, Table, staff

STAFF: dict[str, Table] = {
    "operators": Table(
        {
            "name": staff("TEXT PRIMARY KEY", "who logs in"),
            "role": staff("TEXT NOT NULL", "technician, desk or data-protection"),
            "display_name": staff("TEXT NOT NULL DEFAULT ''", "what a customer sees"),
            "password_hash": staff("TEXT", "argon2id; empty for a login at the site's own provider"),
            "oidc_subject": staff("TEXT", "who this is at the site's own provider"),
            "state": staff("TEXT NOT NULL DEFAULT 'active'", "active, disabled or break-glass"),
            "created_ms": staff("INTEGER NOT NULL", "shown to staff"),
            "second_hash": staff("TEXT", "argon2id of the other half of the break-glass password"),
        },
        title="Staff",
    ),
    "operator_sessions": Table(
        {
            "token_hash": staff("BLOB PRIMARY KEY", "authentication"),
            "operator": staff("TEXT NOT NULL", "whose login"),
            "expires_ms": staff("INTEGER NOT NULL", "end of the login"),
            "seen_ms": staff("INTEGER NOT NULL", "idle log-off"),
            "bound_to": staff(
                "BLOB NOT NULL DEFAULT x''",
                "hash of the browser that logged in: a stolen cookie opens nothing",
            ),
        },
        title="Logins of staff",
    ),
    "api_keys": Table(
        {
            "id": staff("INTEGER PRIMARY KEY AUTOINCREMENT", "order"),
            "name": staff("TEXT NOT NULL", "which program it is for"),
            "key_hash": staff("BLOB NOT NULL UNIQUE", "authentication"),
            "scopes": staff("TEXT NOT NULL", "what it opens"),
            "requests_per_minute": staff("INTEGER NOT NULL", "limit"),
            "tokens_per_minute": staff("INTEGER NOT NULL", "limit"),
            "concurrent_max": staff("INTEGER NOT NULL", "limit"),
            "notice_version": staff("TEXT", "which notice its program shows (GDPR Art. 13, AI Act Art. 50)"),
            "created_ms": staff("INTEGER NOT NULL", "shown to staff"),
            "used_day": staff("INTEGER", "the last day on which it was used, days since the epoch, UTC"),
            "revoked_ms": staff("INTEGER", "no use from then on"),
        },
        indexes=("CREATE UNIQUE INDEX api_keys_name ON api_keys(name) WHERE revoked_ms IS NULL",),
        title="API keys of programs",
    ),
    "audit": Table(
        {
            "id": staff("INTEGER PRIMARY KEY AUTOINCREMENT", "order", Retention.YEARS_6),
            "at_ms": staff("INTEGER NOT NULL", "when", Retention.YEARS_6),
            "actor": staff("TEXT NOT NULL", "who", Retention.YEARS_6),
            "action": staff("TEXT NOT NULL", "view, change or denial, by name", Retention.YEARS_6),
            "object": staff(
                "TEXT NOT NULL", "what, by its identifier; no text of customers", Retention.YEARS_6
            ),
            "outcome": staff("TEXT NOT NULL", "done, refused or failed", Retention.YEARS_6),
            "count": staff(
                "INTEGER NOT NULL DEFAULT 1", "how often within a minute, of refusals", Retention.YEARS_6
            ),
        },
        indexes=("CREATE INDEX audit_at ON audit(at_ms)", "CREATE INDEX audit_object ON audit(object)"),
        title="Audit",
    ),
}
