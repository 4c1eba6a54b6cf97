"""The kiosk page at `/`, a receipt's, and static files. Rendered once at start: they hold nothing of a customer."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from edge.config import Config
from edge.web.receipt_api import PAGE
from edge.web.siblings import page_policy

KIOSK = Path(__file__).parent / "kiosk"
SHELL = Path(__file__).parents[2] / "core" / "webshell"
# The next customer's "back" must not bring the page of the one before.
CACHE_CONTROL = "no-store"


class KioskPage:
    """The page of this site."""

    def __init__(self, config: Config) -> None:
        pages = Environment(
            loader=FileSystemLoader([KIOSK / "templates", SHELL / "templates"]),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
        )
        self._page = pages.get_template("index.html").render(
            site_name=config.site.name,
            locale=config.site.locale,
            suggestions=list(config.site.suggestions),
            idle_warn_s=config.limits.idle_warn_s,
            idle_wipe_s=config.limits.idle_wipe_s,
            text_chars_max=config.limits.text_chars_max,
            keep_h=config.handoff.keep_h,
            siblings=list(config.siblings.urls),
        )
        self._receipt = pages.get_template("receipt.html").render(
            site_name=config.site.name, locale=config.site.locale
        )
        self._headers = {
            "Cache-Control": CACHE_CONTROL,
            "Content-Security-Policy": page_policy(config.siblings.urls),
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of this file."""
        return [
            web.get("/", self.index),
            web.get(PAGE, self.receipt),
            web.static("/static/core", SHELL / "static"),
            web.static("/static/kiosk", KIOSK / "static"),
        ]

    async def index(self, _: web.Request) -> web.Response:
        """The page."""
        return web.Response(text=self._page, content_type="text/html", headers=self._headers)

    async def receipt(self, _: web.Request) -> web.Response:
        """The page that a link to a receipt opens; which one is behind the address's "#", and never comes here."""
        headers = {"Cache-Control": CACHE_CONTROL}
        return web.Response(text=self._receipt, content_type="text/html", headers=headers)
