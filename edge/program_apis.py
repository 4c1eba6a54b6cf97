"""Part of the composition root: the routes for programs, with what a site serves on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from edge.store.api_keys import Scope
from edge.web.openai_api import OpenAiApi, no_such_route

if TYPE_CHECKING:
    from edge.app import Site


def program_routes(site: Site) -> list[web.RouteDef]:
    """Every route of the APIs for programs."""
    openai = OpenAiApi(site.api_keys, site.embeddings, lambda: _models(site))
    return [*openai.routes(), web.route(hdrs.METH_ANY, "/v1/{rest:.*}", no_such_route)]


def _models(site: Site) -> dict[str, Scope]:
    """What serves now."""
    return {site.embeddings.model: Scope.EMBEDDINGS}
