"""What is written down about every route and every operation: the one table for an auditor to read. Pure.

Routes of the console have theirs in `edge.web.console.rules`. Whatever the rule, a refusal is a row (`is_refusal`).
Tests walk the real routes and operations, and fail on one without a rule and on a rule without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.errors import PosternError
from edge.store.audit import Kind
from edge.web.console import rules as console

REFUSED_STATUS: Final = frozenset({401, 403})
REFUSED_CODES: Final = frozenset({"legal_hold"})
"""Refusals by a rule of the site's, of another status."""


class Who(StrEnum):
    """Whose row it is, where a credential does not name one."""

    CUSTOMER = "customer"
    PROGRAM = "program"
    """A known key's rows say `api-key:NAME`."""
    ANYBODY = "anybody"


@dataclass(frozen=True)
class RouteRule:
    """One route. Nothing is written where it succeeds, unless `writes` names the row that its handler writes."""

    method: str
    path: str
    action: str
    who: Who
    why: str
    """Why success is no row, or when it is one."""
    writes: str = ""


@dataclass(frozen=True)
class OperationRule:
    """One operation of the command line. The console's rows are those of its own routes."""

    name: str
    kind: Kind
    why: str = ""
    """Of those of `Kind.NONE`: why nothing is written."""
    named_by: str = ""
    """The argument that identifies what is meant. None for a person: their operations write rows of their own, with the
    label of whom they found."""
    own_audit: bool = False
    """What is seen or changed and its row are one transaction of the operation; here only failures are written that it
    has not written down itself."""


_OWN: Final = "a customer's own act: its row in the store is the record, and goes when the conversation goes"
_ENDS: Final = "a customer's own: a row would outlive what they have ended"
_PUBLIC: Final = "the same for everybody, about no person"
_PROGRAM: Final = "a program's own text: nothing of it is kept, nothing stored is seen"
_SITE: Final = "the site's own, about no person"
_BROUGHT: Final = "text that the caller brings: nothing stored is seen"

_SESSION: Final = "/api/v1/sessions/{id}"
_TURN: Final = f"{_SESSION}/turns/{{turn}}"
_MODEL: Final = "/v2/models/{model}"
_VERSION: Final = f"{_MODEL}/versions/{{version}}"


def _customer(method: str, path: str, action: str, why: str = _OWN, writes: str = "") -> RouteRule:
    return RouteRule(method, path, action, Who.CUSTOMER, why, writes)


def _program(method: str, path: str, action: str, why: str = _PROGRAM, writes: str = "") -> RouteRule:
    return RouteRule(method, path, action, Who.PROGRAM, why, writes)


def _open(path: str, action: str, method: str = "GET") -> RouteRule:
    return RouteRule(method, path, action, Who.ANYBODY, _PUBLIC)


ROUTES: Final[tuple[RouteRule, ...]] = (
    _customer(
        "POST", "/api/v1/sessions", "sessions.begin",
        "as of every act of a customer's; for an operator, whose answers come from staff documents, a row",
        writes="sessions.staff",
    ),
    _customer("DELETE", _SESSION, "sessions.end", _ENDS),
    _customer("POST", f"{_SESSION}/consent", "sessions.consent"),
    _customer("GET", f"{_SESSION}/consent", "sessions.agreed"),
    _customer("GET", f"{_SESSION}/receipt", "sessions.receipt"),
    _customer("POST", f"{_SESSION}/receipt-link", "sessions.receipt_link"),
    _customer("GET", "/api/v1/receipt", "sessions.receipt"),
    _customer("POST", f"{_SESSION}/alive", "sessions.alive"),
    _customer("POST", f"{_SESSION}/turns", "turns.ask"),
    _customer("POST", f"{_TURN}/feedback", "turns.feedback"),
    _customer("POST", f"{_TURN}/handoff", "tickets.ask"),
    _customer("DELETE", f"{_TURN}/handoff", "tickets.withdraw", _ENDS),
    _customer("POST", f"{_SESSION}/messages", "tickets.write"),
    _customer("GET", f"{_SESSION}/events", "tickets.follow"),
    _program(
        "POST", "/v1/chat/completions", "chat.ask",
        "a question of nobody's conversation; for a key with the scope staff, a row", writes="chat.staff",
    ),
    _program("POST", "/v1/embeddings", "embeddings.make"),
    _program("GET", "/v1/models", "models.list", _PUBLIC),
    _program("GET", "/v1/models/{model}", "models.show", _PUBLIC),
    _program("POST", "/api/v1/privacy/scan", "privacy.scan"),
    *(_program("GET", path, "inference.describe", _PUBLIC) for path in (_MODEL, _VERSION)),
    *(_program("POST", f"{path}/infer", "inference.infer") for path in (_MODEL, _VERSION)),
    *(_open(f"{path}/ready", "inference.ready") for path in (_MODEL, _VERSION)),
    _open("/v2", "inference.server"),
    _open("/v2/health/live", "health.live"),
    _open("/v2/health/ready", "health.ready"),
    _open("/healthz", "health.live"),
    _open("/readyz", "health.ready"),
    _open("/metrics", "health.metrics"),
    _open("/", "kiosk.page"),
    _open("/receipt", "kiosk.receipt_page"),
    _open("/receipt/receipts.pub", "kiosk.receipt_key"),
    _open("/receipt/verify.py", "kiosk.verifier"),
    _open("/openapi.json", "api.description"),
    _open("/api/v1/siblings", "siblings.describe"),
    *(_open(f"/static/{folder}", "static") for folder in ("core", "kiosk", "console")),
    *(_open(f"{prefix}/{{rest}}", "unknown", "*") for prefix in ("/v1", "/v2", console.PREFIX)),
    _open(console.PREFIX, "console.first"),
)  # fmt: skip


def _view(name: str, named_by: str = "", *, own_audit: bool = False) -> OperationRule:
    return OperationRule(name, Kind.VIEW, named_by=named_by, own_audit=own_audit)


def _change(
    name: str, named_by: str = "", kind: Kind = Kind.CHANGE, *, own_audit: bool = False
) -> OperationRule:
    return OperationRule(name, kind, named_by=named_by, own_audit=own_audit)


def _nothing(name: str, why: str) -> OperationRule:
    return OperationRule(name, Kind.NONE, why)


OPERATIONS: Final[tuple[OperationRule, ...]] = (
    _nothing("ask", "a question of the caller's own, wiped before it is answered"),
    _nothing("status", "counts and states, about no person"),
    _view("inbox.list"),
    _view("inbox.show", "ticket", own_audit=True),
    _change("inbox.take", "ticket", own_audit=True),
    _change("inbox.reply", "ticket", own_audit=True),
    _change("inbox.close", "ticket", own_audit=True),
    _view("unanswered.list"),
    _change("unanswered.dismiss", own_audit=True),
    _change("unanswered.answer", own_audit=True),
    _change("kb.add", "paths"),
    _change("kb.upload", "name"),
    _change("kb.write"),
    _change("kb.set", "document"),
    _change("kb.remove", "document", Kind.DELETE),
    _view("kb.list"),
    _view("kb.show", "document"),
    _view("kb.search"),
    _view("kb.differences"),
    _change("intents.train", "path"),
    _change("intents.activate", "version"),
    _change("intents.roll-back"),
    _nothing("intents.list", _SITE),
    _nothing("intents.predict", _BROUGHT),
    _change("examples.add", "document"),
    _change("examples.remove", "id", Kind.DELETE),
    _view("examples.list"),
    _change("learn.run"),
    _change("learn.roll_back", "kind"),
    _nothing("learn.history", _SITE),
    _change("models.use", "name"),
    _view("operators.list"),
    *(
        _change(f"operators.{name}", "name", own_audit=True)
        for name in ("add", "disable", "enable", "set-password", "break-glass", "token")
    ),
    _view("api-keys.list"),
    _change("api-keys.new", "name", own_audit=True),
    _change("api-keys.revoke", "name", own_audit=True),
    _nothing("keys.list", _SITE),
    _nothing("trust.show", _SITE),
    _change("trust.set"),
    _nothing("updates.show", _SITE),
    _change("updates.remove", "update", Kind.DELETE),
    _change("keys.seal", "to"),
    _change("siblings.key"),
    _change("keys.rotate", "which"),
    _nothing("privacy.scan", _BROUGHT),
    _nothing("privacy.preview", _BROUGHT),
    _nothing("privacy.policy.show", _SITE),
    _nothing("privacy.policy.check", _SITE),
    _change("privacy.policy.sign", own_audit=True),
    _view("privacy.find"),
    _view("privacy.subject", own_audit=True),
    _change("privacy.export", kind=Kind.EXPORT, own_audit=True),
    _view("privacy.consents", own_audit=True),
    _change("privacy.erase", kind=Kind.DELETE, own_audit=True),
    _change("privacy.hold", own_audit=True),
    _change("privacy.release", own_audit=True),
    _view("privacy.holds"),
    _view("privacy.erasures"),
    _nothing("privacy.verify-receipt", _BROUGHT),
    _view("audit.list"),
    _view("audit.verify"),
    _change("audit.export", kind=Kind.EXPORT, own_audit=True),
    _change("backup.make", "file"),
    _nothing("backup.list", _SITE),
    _change("privacy.report", kind=Kind.EXPORT),
    _nothing("privacy.retention", "how much there is of each table, about no person"),
)

_BY_ROUTE: Final = {(rule.method, rule.path): rule for rule in ROUTES}
_BY_NAME: Final = {rule.name: rule for rule in OPERATIONS}
_KINDS: Final = (
    {rule.action: rule.kind for rule in console.RULES if rule.roles is not None}
    | {rule.name: rule.kind for rule in OPERATIONS if rule.kind is not Kind.NONE}
    | {rule.writes: Kind.VIEW for rule in ROUTES if rule.writes}
)


def of_route(method: str, path: str) -> RouteRule | None:
    """The rule of a route, by its pattern; None for one of the console's, which writes its own rows."""
    return _BY_ROUTE.get((method, path))


def of_operation(name: str) -> OperationRule:
    """The rule of an operation; one without is written down as a change: rather too much than too little."""
    return _BY_NAME.get(name) or OperationRule(name, Kind.CHANGE)


def actions() -> set[str]:
    """Of every rule: what rows of audit can say."""
    routes = {rule.action for rule in ROUTES} | {rule.writes for rule in ROUTES if rule.writes}
    return routes | {rule.name for rule in OPERATIONS} | {rule.action for rule in console.RULES}


def kind_of(action: str) -> Kind | None:
    """What rows of this action tell of; None for logins and what no rule names."""
    return _KINDS.get(action)


def is_refusal(error: PosternError) -> bool:
    """Whether somebody was not let do something, rather than that it went wrong."""
    return error.status in REFUSED_STATUS or error.code in REFUSED_CODES
