"""The console's HTTP application: fleet, node and code pages, health and metrics. Parses, calls a service, renders."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from cloud_sync.fleet.enrolment import Enrolment, InvalidSite
from cloud_sync.fleet.intake import PERSONAL_RECEIVED
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.rules import STATES_BY_TROUBLE
from cloud_sync.fleet.steering import Steering
from cloud_sync.overflow.shares import Shares
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, FORM_BYTES_MAX, WebShell, field

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True)
class Services:
    """What the pages call."""

    overview: Overview
    enrolment: Enrolment
    steering: Steering
    metrics: FleetMetrics
    shares: Shares
    enrolment_endpoint: str


def console_app(services: Services, shell: WebShell) -> web.Application:
    """The application, ready for a runner."""
    app = web.Application(middlewares=shell.middlewares, client_max_size=FORM_BYTES_MAX)
    shell.install(app)
    pages = _Pages(services, shell)
    app.router.add_get("/healthz", pages.health)
    app.router.add_get("/readyz", pages.ready)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/", pages.fleet)
    app.router.add_get("/fleet/rows", pages.fleet_rows)
    app.router.add_get("/nodes/{id}", pages.node)
    app.router.add_get("/nodes/{id}/live", pages.node_live)
    app.router.add_post("/nodes/{id}/revoke", pages.revoke)
    app.router.add_get("/overflow", pages.overflow)
    app.router.add_get("/overflow/live", pages.overflow_live)
    app.router.add_get("/codes", pages.codes)
    app.router.add_post("/codes", pages.new_code)
    return app


class _Pages:
    def __init__(self, services: Services, shell: WebShell) -> None:
        self._services = services
        self._shell = shell

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(self, _: web.Request) -> web.Response:
        try:
            await self._services.overview.ready()
        except PosternError as error:
            reasons = [{"code": error.code, "detail": error.title, "remedy": error.remedy}]
            return web.json_response({"ready": False, "reasons": reasons}, status=503)
        return web.json_response({"ready": True, "reasons": []})

    async def metrics(self, _: web.Request) -> web.Response:
        fleet = await self._services.overview.fleet()
        for state in STATES_BY_TROUBLE:
            self._services.metrics.nodes.labels(state).set(getattr(fleet, state))
        return web.Response(body=self._services.metrics.text(), content_type="text/plain", charset="utf-8")

    async def fleet(self, request: web.Request) -> web.Response:
        return self._shell.render(request, "fleet.html", fleet=await self._services.overview.fleet())

    async def fleet_rows(self, request: web.Request) -> web.Response:
        return self._shell.render(request, "fleet_rows.html", fleet=await self._services.overview.fleet())

    async def node(self, request: web.Request) -> web.Response:
        return await self._node_page(request, revoke_error=None)

    async def node_live(self, request: web.Request) -> web.Response:
        node, counts = await self._services.overview.node(request.match_info["id"])
        return self._shell.render(request, "node_live.html", node=node, counts=counts)

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        node_id = request.match_info["id"]
        if await field(request, "confirm") != node_id:
            return await self._node_page(request, revoke_error="Type the node's identifier to revoke it.")
        await self._services.steering.revoke(node_id, request[ACCOUNT].name)
        raise web.HTTPSeeOther(f"/nodes/{node_id}")

    async def overflow(self, request: web.Request) -> web.Response:
        return await self._overflow(request, "overflow.html")

    async def overflow_live(self, request: web.Request) -> web.Response:
        return await self._overflow(request, "overflow_live.html")

    async def _overflow(self, request: web.Request, template: str) -> web.Response:
        view = await self._services.shares.view()
        alerts = await self._services.overview.audit_by_action(PERSONAL_RECEIVED)
        return self._shell.render(request, template, overflow=view, alerts=alerts)

    async def codes(self, request: web.Request) -> web.Response:
        codes = await self._services.enrolment.codes()
        return self._shell.render(request, "codes.html", codes=codes, new_code=None, site="", error=None)

    async def new_code(self, request: web.Request) -> web.Response:
        site, error, code, status = await field(request, "site"), None, None, 200
        try:
            endpoint = self._services.enrolment_endpoint
            code = await self._services.enrolment.new_code(site, request[ACCOUNT].name, endpoint)
        except InvalidSite as fault:
            error, status = f"{fault.detail} {fault.remedy}", fault.status
        codes = await self._services.enrolment.codes()
        context = {"codes": codes, "new_code": code, "site": site if error else "", "error": error}
        return self._shell.render(request, "codes.html", status, **context)

    async def _node_page(self, request: web.Request, revoke_error: str | None) -> web.Response:
        node, counts = await self._services.overview.node(request.match_info["id"])
        audit = await self._services.overview.audit_of(node.id)
        status = 400 if revoke_error else 200
        context = {"node": node, "counts": counts, "audit": audit, "revoke_error": revoke_error}
        return self._shell.render(request, "node.html", status, **context)
