"""`/openapi.json`: the customers' API as OpenAPI 3.1, from the same models that read the bodies.

A test walks the server's routes and fails when one of `/api/` is missing here.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from core.version import VERSION
from edge.web.chat_request import ChatBody
from edge.web.handoff_api import MessageBody
from edge.web.inference_wire import InferBody
from edge.web.openai_api import EmbeddingsBody
from edge.web.privacy_api import ScanBody
from edge.web.problems import PROBLEM_JSON
from edge.web.receipt_api import LinkBody
from edge.web.sessions_api import ConsentBody, FeedbackBody, NewSessionBody, TurnBody

_SESSION = "/api/v1/sessions/{id}"
_SCAN = "/api/v1/privacy/scan"
_TURN = f"{_SESSION}/turns/{{turn}}"

_VECTORS = {
    "200": "A vector for each text, in order",
    "400": "Refused by name",
    "429": "Come back after Retry-After",
}

# (method, path, what it does, body, {status: what it means})
_OPERATIONS: tuple[tuple[str, str, str, type[BaseModel] | None, dict[str, str]], ...] = (
    (
        "post",
        "/api/v1/sessions",
        "Begin a conversation, or go on with one of a sibling",
        NewSessionBody,
        {"201": "Session, token and notice"},
    ),
    (
        "get",
        "/api/v1/siblings",
        "Whether conversations of another node go on here",
        None,
        {"200": "Site, the fingerprint of the shared key, the notice's version"},
    ),
    ("delete", _SESSION, "End a conversation and wipe it", None, {"204": "Wiped"}),
    (
        "post",
        f"{_SESSION}/consent",
        "Accept the notice",
        ConsentBody,
        {"204": "Turns are answered from now on"},
    ),
    (
        "get",
        f"{_SESSION}/consent",
        "What the conversation was told and agreed to",
        None,
        {"200": "The notice with its words, and whether overflow is permitted"},
    ),
    (
        "get",
        f"{_SESSION}/receipt",
        "What left the building about the conversation",
        None,
        {"200": "Bytes, and each text that left; what servers of the site were told"},
    ),
    (
        "post",
        f"{_SESSION}/receipt-link",
        "A link by which a phone reads the receipt",
        LinkBody,
        {"201": "The link, how long it works, and its QR code where a phone could open it"},
    ),
    (
        "get",
        "/api/v1/receipt",
        "The receipt of the conversation that the link was given for; the link's secret is the bearer token",
        None,
        {"200": "The receipt, and for how long the link still works", "404": "The link works no longer"},
    ),
    ("post", f"{_SESSION}/alive", "Say that somebody is still there", None, {"204": "Not silent"}),
    ("post", f"{_SESSION}/turns", "Ask one question", TurnBody, {"200": "The answer, or a stream of events"}),
    ("post", f"{_TURN}/feedback", "Say whether an answer was useful", FeedbackBody, {"204": "Kept"}),
    ("post", f"{_TURN}/handoff", "Ask for a human about an answer", None, {"201": "The ticket's number"}),
    ("delete", f"{_TURN}/handoff", "Take a ticket back", None, {"204": "Forgotten"}),
    ("post", f"{_SESSION}/messages", "Write to the person who has the ticket", MessageBody, {"201": "Kept"}),
    (
        "get",
        f"{_SESSION}/events",
        "Follow the tickets; goes on after Last-Event-ID",
        None,
        {"200": "A stream of events: state, message, ended"},
    ),
    (
        "post",
        _SCAN,
        "What is personal in a text",
        ScanBody,
        {"200": "Entities, label, the text with types in their place, and whether names were looked for"},
    ),
    (
        "post",
        "/v1/chat/completions",
        "Ask the desk, as OpenAI's clients do",
        ChatBody,
        {
            "200": "The answer, or a stream of chunks",
            "400": "Refused by name",
            "429": "Come back after Retry-After",
        },
    ),
    (
        "post",
        "/v1/embeddings",
        "Vectors of texts, as OpenAI's clients ask for them",
        EmbeddingsBody,
        _VECTORS,
    ),
    ("get", "/v1/models", "What serves", None, {"200": "A list of models"}),
    ("get", "/v1/models/{model}", "One of them", None, {"200": "The model", "404": "None of that name"}),
    ("get", "/v2", "What answers", None, {"200": "Name, version, extensions"}),
    ("get", "/v2/health/live", "Is the process alive?", None, {"200": "Yes"}),
    ("get", "/v2/health/ready", "Would it answer?", None, {"200": "Yes", "503": "No"}),
    *(
        operation
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
        for operation in (
            ("get", model, "What the model takes and gives", None, {"200": "Inputs and outputs"}),
            ("get", f"{model}/ready", "Would it answer?", None, {"200": "Yes", "503": "No"}),
            ("post", f"{model}/infer", "A vector for each text", InferBody, _VECTORS),
        )
    ),
    ("get", "/healthz", "Is the process alive?", None, {"200": "Yes"}),
    ("get", "/readyz", "Are turns answered?", None, {"200": "Yes", "503": "No; the reasons are in the body"}),
    ("get", "/metrics", "Prometheus text", None, {"200": "Metrics"}),
)


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for method, path, summary, body, replies in _OPERATIONS:
        if body is not None:
            schemas[body.__name__] = body.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schemas[body.__name__].pop("$defs", {}))
        paths.setdefault(path, {})[method] = _operation(path, summary, body, replies)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postern edge node", "version": VERSION, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {name: {"type": "http", "scheme": "bearer"} for name in ("session", "apiKey")},
        },
    }


def openapi_route() -> web.RouteDef:
    """Serves the document."""
    found = document()

    async def serve(_: web.Request) -> web.Response:
        return web.json_response(found)

    return web.get("/openapi.json", serve)


def _operation(
    path: str, summary: str, body: type[BaseModel] | None, replies: dict[str, str]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {status: {"description": meaning} for status, meaning in replies.items()},
    }
    if path.startswith(_SESSION):
        operation["security"] = [{"session": []}]
    if path.startswith((_SCAN, "/v1/", "/v2/models/")) and not path.endswith("/ready"):
        operation["security"] = [{"apiKey": []}]
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if path.startswith("/api/"):
        problem = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"]["default"] = {
            "description": "What went wrong and what to do",
            "content": problem,
        }
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457, with a code for programs and a remedy for people",
    "required": ["code", "title", "detail", "remedy", "status"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
    },
}
