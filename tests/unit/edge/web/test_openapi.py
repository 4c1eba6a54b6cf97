"""The OpenAPI document names every route of the customers' API, and its references resolve."""

from __future__ import annotations

import json
import re

from edge.web.handoff_api import HandoffApi
from edge.web.openapi import document
from edge.web.sessions_api import SessionsApi


def test_every_route_of_the_api_is_described() -> None:
    apis = (SessionsApi, HandoffApi)
    routes = [route for api in apis for route in api.routes(api.__new__(api))]  # type: ignore[arg-type]
    described = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
        if path.startswith("/api/")
    }
    assert {(route.method, route.path) for route in routes} == described


def test_every_reference_resolves() -> None:
    found = document()
    for reference in set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found))):
        assert reference in found["components"]["schemas"]
