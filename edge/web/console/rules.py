"""Every route of the site console, and who may use it: the one table of what each role sees and does. Pure.

A role that is not named at a route is refused there, and the refusal is a row of audit; a test walks the server's
routes and fails when one of the console's is not in this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.audit import Kind
from edge.store.operators import Role

PREFIX = "/console"
# Five documents of the largest size at once; more go up in several turns.
UPLOAD_BYTES_MAX = 100 * 1024 * 1024
# A table of examples may have 10 MB, in a form.
TABLE_BYTES_MAX = 11 * 1024 * 1024

DESK = frozenset({Role.DESK})
TECHNICIAN = frozenset({Role.TECHNICIAN})
EDITORS = frozenset({Role.DESK, Role.TECHNICIAN})
OVERSEERS = frozenset({Role.TECHNICIAN, Role.DATA_PROTECTION})
DATA_PROTECTION = frozenset({Role.DATA_PROTECTION})
EVERYBODY = frozenset(Role)


@dataclass(frozen=True)
class Rule:
    """One route. `action` names its handler and its rows of audit."""

    method: str
    path: str
    """Below PREFIX."""
    action: str
    roles: frozenset[Role] | None
    """Who may; None: no login needed."""
    live: bool = False
    """Refreshes part of a page that has been written down when it was opened; no row of its own."""
    named_by: str = ""
    """Field of the query or the form that identifies what is meant, where the path does not."""
    body_bytes_max: int = 0
    """What a form of files may have; 0 for the small limit of all others."""
    own_audit: bool = False
    """What is seen or changed and its row of audit are one transaction of the handler's operation."""
    deletes: bool = False
    exports: bool = False

    @property
    def kind(self) -> Kind:
        """What its rows of audit tell of."""
        if self.deletes or self.exports:
            return Kind.DELETE if self.deletes else Kind.EXPORT
        return Kind.VIEW if self.method == "GET" else Kind.CHANGE


RULES: tuple[Rule, ...] = (
    Rule("GET", "/login", "login.view", None),
    Rule("POST", "/login", "login.send", None),
    Rule("GET", "/claim", "claim.view", None),
    Rule("POST", "/claim", "claim.send", None),
    Rule("GET", "/break-glass", "break-glass.view", None),
    Rule("POST", "/break-glass", "break-glass.send", None),
    Rule("GET", "/oidc", "oidc.begin", None),
    Rule("GET", "/oidc/callback", "oidc.finish", None),
    Rule("POST", "/logout", "logout", EVERYBODY, own_audit=True),
    Rule("GET", "/", "overview.view", EVERYBODY),
    Rule("GET", "/live", "overview.refresh", EVERYBODY, live=True),
    Rule("GET", "/figures", "figures.view", EVERYBODY),
    Rule("GET", "/inbox", "inbox.view", DESK),
    Rule("GET", "/inbox/live", "inbox.refresh", DESK, live=True),
    Rule("GET", "/inbox/count", "inbox.count", DESK, live=True),
    Rule("GET", "/inbox/{ticket}", "inbox.show", DESK, own_audit=True),
    Rule("GET", "/inbox/{ticket}/live", "inbox.show-refresh", DESK, live=True),
    Rule("POST", "/inbox/{ticket}/take", "inbox.take", DESK, own_audit=True),
    Rule("POST", "/inbox/{ticket}/reply", "inbox.reply", DESK, own_audit=True),
    Rule("POST", "/inbox/{ticket}/close", "inbox.close", DESK, own_audit=True),
    Rule("GET", "/documents", "documents.view", EDITORS),
    Rule("POST", "/documents", "documents.upload", DESK, body_bytes_max=UPLOAD_BYTES_MAX),
    Rule("GET", "/documents/one", "documents.show", EDITORS, named_by="doc"),
    Rule("GET", "/documents/search", "documents.search", EDITORS),
    Rule("GET", "/documents/differences", "documents.differences", EDITORS),
    Rule("POST", "/documents/set", "documents.set", DESK, named_by="doc"),
    Rule("POST", "/documents/remove", "documents.remove", DESK, named_by="doc", deletes=True),
    Rule("GET", "/unanswered", "unanswered.view", DESK),
    Rule("GET", "/unanswered/write", "unanswered.write", DESK, named_by="ids"),
    Rule("POST", "/unanswered/dismiss", "unanswered.dismiss", DESK, own_audit=True),
    Rule("POST", "/unanswered/answer", "unanswered.answer", DESK),
    Rule("GET", "/intents", "intents.view", EDITORS),
    Rule("POST", "/intents", "intents.edit", DESK, named_by="intent"),
    Rule("POST", "/intents/upload", "intents.upload", DESK, body_bytes_max=TABLE_BYTES_MAX),
    Rule("POST", "/intents/train", "intents.train", DESK),
    Rule("POST", "/intents/activate", "intents.activate", DESK, named_by="version"),
    Rule("POST", "/intents/roll-back", "intents.roll-back", DESK),
    Rule("GET", "/learning", "learning.view", DESK),
    Rule("POST", "/learning/add", "learning.add", DESK, named_by="document"),
    Rule("POST", "/learning/remove", "learning.remove", DESK, named_by="example", deletes=True),
    Rule("POST", "/learning/run", "learning.run", DESK),
    Rule("POST", "/learning/roll-back", "learning.roll-back", DESK),
    Rule("GET", "/jobs/{job}", "jobs.view", EDITORS),
    Rule("GET", "/jobs/{job}/live", "jobs.refresh", EDITORS, live=True),
    Rule("GET", "/devices", "devices.view", TECHNICIAN),
    Rule("GET", "/devices/live", "devices.refresh", TECHNICIAN, live=True),
    Rule("GET", "/audit", "audit.view", DATA_PROTECTION),
    Rule("GET", "/audit/export", "audit.export", DATA_PROTECTION, own_audit=True, exports=True),
    Rule("GET", "/people", "people.view", DATA_PROTECTION),
    Rule("POST", "/people", "people.find", DATA_PROTECTION, own_audit=True),
    Rule("GET", "/people/{person}", "people.show", DATA_PROTECTION, own_audit=True),
    Rule("POST", "/people/{person}/export", "people.export", DATA_PROTECTION, own_audit=True, exports=True),
    Rule("POST", "/people/{person}/hold", "people.hold", DATA_PROTECTION, own_audit=True),
    Rule("POST", "/people/{person}/release", "people.release", DATA_PROTECTION, own_audit=True),
    Rule("POST", "/people/{person}/erase", "people.erase", DATA_PROTECTION, own_audit=True, deletes=True),
    Rule("POST", "/people/{person}/receipt", "people.receipt", DATA_PROTECTION, own_audit=True, exports=True),
    Rule("GET", "/retention", "retention.view", OVERSEERS),
    Rule("GET", "/keys", "keys.view", OVERSEERS),
    Rule("GET", "/backups", "backups.view", OVERSEERS),
    Rule("GET", "/privacy", "privacy.view", OVERSEERS),
    Rule("POST", "/privacy/try", "privacy.try", DATA_PROTECTION),
    Rule("POST", "/privacy/sign", "privacy.sign", DATA_PROTECTION, own_audit=True),
    Rule("GET", "/reports", "reports.view", DATA_PROTECTION),
    Rule("GET", "/reports/html", "reports.html", DATA_PROTECTION, exports=True),
    Rule("GET", "/reports/pdf", "reports.pdf", DATA_PROTECTION, exports=True),
    Rule("GET", "/api-keys", "api-keys.view", OVERSEERS),
    Rule("POST", "/api-keys", "api-keys.new", TECHNICIAN, own_audit=True),
    Rule("POST", "/api-keys/{name}/revoke", "api-keys.revoke", TECHNICIAN, own_audit=True),
    Rule("GET", "/operators", "operators.view", OVERSEERS),
    Rule("POST", "/operators", "operators.add", TECHNICIAN, own_audit=True),
    Rule("POST", "/operators/{name}/roles", "operators.set-roles", TECHNICIAN, own_audit=True),
    Rule("POST", "/operators/{name}/password", "operators.set-password", TECHNICIAN, own_audit=True),
    Rule("POST", "/operators/{name}/state", "operators.set-state", TECHNICIAN, own_audit=True),
)


def path_of(action: str) -> str:
    """Where the page of `action` is, below PREFIX."""
    return next(rule.path for rule in RULES if rule.action == action)


def may(roles: frozenset[str], action: str) -> bool:
    """Whether somebody with these roles may do `action`; for showing only what one can use."""
    return any(rule.roles is not None and rule.action == action and roles & rule.roles for rule in RULES)
