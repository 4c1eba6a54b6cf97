"""Liveness, readiness with reasons, and Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from edge.web.problems import dumps


class HealthApi:
    """`not_ready` names what keeps turns from being answered; `refresh` sets the gauges that are read off."""

    def __init__(self, not_ready: Callable[[], list[str]], refresh: Callable[[], None]) -> None:
        self._not_ready = not_ready
        self._refresh = refresh

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        """200 when turns are answered; 503 with the reasons otherwise."""
        reasons = self._not_ready()
        status = 503 if reasons else 200
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=status, dumps=dumps)

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus text."""
        self._refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
