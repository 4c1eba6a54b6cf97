"""The OpenAPI document names every route of the customers' API, and its references resolve."""

from __future__ import annotations

import json
import re
from typing import Any

from edge.web.handoff_api import HandoffApi
from edge.web.inference_api import InferenceApi
from edge.web.openai_api import OpenAiApi
from edge.web.openai_chat import OpenAiChat
from edge.web.openapi import document
from edge.web.privacy_api import PrivacyApi
from edge.web.receipt_api import ReceiptApi
from edge.web.sessions_api import SessionsApi
from edge.web.siblings import SiblingsApi


def unwired(api: type) -> Any:
    """An API of which only the routes are looked at."""
    return api(*[None] * (api.__init__.__code__.co_argcount - 1))  # type: ignore[misc]


def test_every_route_of_the_api_is_described() -> None:
    apis = (
        SessionsApi,
        SiblingsApi,
        HandoffApi,
        ReceiptApi,
        OpenAiApi,
        OpenAiChat,
        InferenceApi,
        PrivacyApi,
    )
    routes = [route for api in apis for route in unwired(api).routes()]
    described = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
        if path.startswith(("/api/", "/v1/", "/v2"))
    }
    assert {(route.method, route.path) for route in routes} == described


def test_every_route_says_what_opens_it() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            keyed = path.startswith(("/v1/", "/v2/models/", "/api/v1/privacy/")) and not path.endswith(
                "/ready"
            )
            needed = "session" if "/sessions/{id}" in path else "apiKey" if keyed else None
            assert operation.get("security") == ([{needed: []}] if needed else None), path


def test_every_reference_resolves() -> None:
    found = document()
    for reference in set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found))):
        assert reference in found["components"]["schemas"]
