"""Part of the composition root: the routes for programs, with what a site serves on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from edge.chat.notice import notice_of
from edge.chat.raw_text import RawText
from edge.chat.single_turn import ProgramTurns, SingleTurns
from edge.store.api_keys import Scope
from edge.web import inference_api, openai_chat, openai_errors
from edge.web.inference_api import InferenceApi
from edge.web.openai_api import OpenAiApi
from edge.web.openai_chat import OpenAiChat
from edge.web.privacy_api import PrivacyApi

if TYPE_CHECKING:
    from edge.app import Site


def program_routes(site: Site, not_ready: Callable[[], list[str]]) -> list[web.RouteDef]:
    """Every route of the APIs for programs."""
    keys, embeddings = site.api_keys, site.embeddings
    chat, raw = _chat(site)
    openai = OpenAiApi(keys, embeddings, lambda: _models(site, raw))
    inference = InferenceApi(keys, embeddings, not_ready)
    privacy = PrivacyApi(keys, site.scanner, site.config.limits.text_chars_max)
    return [
        *openai.routes(),
        *chat.routes(),
        *inference.routes(),
        *privacy.routes(),
        web.route(hdrs.METH_ANY, "/v1/{rest:.*}", openai_errors.no_such_route),
        web.route(hdrs.METH_ANY, "/v2/{rest:.*}", inference_api.no_such_route),
    ]


def _chat(site: Site) -> tuple[OpenAiChat, RawText]:
    notice, limits = notice_of(site.config.site.name), site.config.limits
    turns = ProgramTurns(site.store, SingleTurns(site.sessions, site.desk, notice), notice)
    # A server of the site's network has an API of its own: a program that wants its model asks it.
    own = None if site.llm_server else site.config.models.llm or None
    raw = RawText(site.desk, site.worker, site.embeddings, site.config.answer, own)
    return OpenAiChat(site.api_keys, turns, raw, site.encoder.count_tokens, limits.text_chars_max), raw


def _models(site: Site, raw: RawText) -> dict[str, Scope]:
    """What serves now."""
    chat = {openai_chat.DESK: Scope.CHAT} | ({raw.model: Scope.CHAT} if raw.model else {})
    return {site.embeddings.model: Scope.EMBEDDINGS, **chat}
