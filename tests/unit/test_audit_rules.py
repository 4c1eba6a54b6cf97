"""Every route and every operation has its rule of audit, and every rule its route or operation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
from aiohttp import hdrs, web

import edge.operations
import edge.web
from core.errors import PosternError
from edge.config import Config
from edge.store.audit import Kind
from edge.web import audit_rules
from edge.web.audit_rules import OPERATIONS, ROUTES, Who, is_refusal, of_operation
from edge.web.console import rules as console
from edge.web.console.door import ConsoleDoor
from edge.web.kiosk_page import KioskPage
from edge.web.openapi import openapi_route
from edge.web.receipt_files import receipt_files
from edge.web.server import customer_application

REMEDY = "say in edge/web/audit_rules.py what is written down about it"


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def classes_with(package: ModuleType, method: str) -> list[type]:
    """Of the modules of a folder, but not of those below it."""
    return [
        kind
        for module in modules(package)
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and hasattr(kind, method)
    ]


def unwired(kind: type) -> Any:
    """An object of which only the table of routes or operations is looked at."""
    if kind is KioskPage:
        return KioskPage(Config.model_validate({"site": {"id": "s", "name": "Clinic"}}))
    needed = [
        parameter
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    values: dict[str, Any] = {parameter.name: MagicMock() for parameter in needed}
    return kind(**values)


async def served_routes() -> set[tuple[str, str]]:
    apis = [unwired(kind) for kind in classes_with(edge.web, "routes")]
    catching = [web.route(hdrs.METH_ANY, f"/{version}/{{rest:.*}}", nothing) for version in ("v1", "v2")]
    routes = [route for api in apis for route in api.routes()]
    alone = [*ConsoleDoor().routes(), *receipt_files(b""), openapi_route()]
    application = customer_application([*routes, *alone, *catching], None)
    return {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }


async def nothing(_: web.Request) -> web.Response:
    return web.Response()


def named_operations() -> set[str]:
    return {name for kind in classes_with(edge.operations, "table") for name in unwired(kind).table()}


@pytest.mark.proves("audit")
async def test_every_route_has_one_rule_and_every_rule_its_route() -> None:
    ruled = [(rule.method, rule.path) for rule in ROUTES]
    ruled += [(rule.method, console.PREFIX + rule.path) for rule in console.RULES]
    served = await served_routes()
    assert served - set(ruled) == set(), REMEDY
    assert set(ruled) - served == set(), "a rule without a route"
    assert len(ruled) == len(set(ruled)), "two rules for one route"


@pytest.mark.proves("audit")
def test_every_operation_has_one_rule_and_every_rule_its_operation() -> None:
    ruled, named = [rule.name for rule in OPERATIONS], named_operations()
    assert named - set(ruled) == set(), REMEDY
    assert set(ruled) - named == set(), "a rule without an operation"
    assert len(ruled) == len(set(ruled)), "two rules for one operation"


def test_what_writes_nothing_says_why() -> None:
    assert all(rule.why for rule in ROUTES)
    assert all(bool(rule.why) == (rule.kind is Kind.NONE) for rule in OPERATIONS)


@pytest.mark.parametrize(("words", "kind"), [("remove erase delete", Kind.DELETE), ("export", Kind.EXPORT)])
def test_what_takes_away_or_out_is_called_so(words: str, kind: Kind) -> None:
    rules = [(rule.name, rule.kind) for rule in OPERATIONS]
    rules += [(rule.action, rule.kind) for rule in console.RULES if rule.method == "POST"]
    for name, found in rules:
        if set(words.split()) & set(name.replace("-", ".").split(".")):
            assert found is kind, name


def test_a_route_of_the_console_that_refreshes_itself_is_a_view() -> None:
    assert {rule.kind for rule in console.RULES if rule.live} == {Kind.VIEW}


def test_an_operation_without_a_rule_is_written_down_as_a_change() -> None:
    rule = of_operation("new.thing")
    assert (rule.kind, rule.own_audit) == (Kind.CHANGE, False)


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        (400, "bad_request", False), (401, "any", True), (402, "any", False), (403, "any", True),
        (404, "any", False), (409, "ticket_over", False), (409, "legal_hold", True), (429, "rate_limited", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_refusal(status: int, code: str, refused: bool) -> None:
    error = PosternError()
    error.status, error.code = status, code
    assert is_refusal(error) is refused


def test_who_is_named_where_no_credential_is_known() -> None:
    sessions = audit_rules.of_route("POST", "/api/v1/sessions/{id}/turns")
    assert sessions is not None
    assert sessions.who is Who.CUSTOMER
    assert audit_rules.of_route("GET", f"{console.PREFIX}/audit") is None
