"""The console's HTTP application: pages, health and metrics. Parses, calls a service, renders."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from cloud_sync.console.alert_pages import AlertPages
from cloud_sync.console.audit_pages import AuditPages
from cloud_sync.console.desired_pages import DesiredPages, with_room
from cloud_sync.console.fleet_pages import FleetPages
from cloud_sync.console.rollout_pages import RolloutPages
from cloud_sync.fleet.alerts.service import Alerts
from cloud_sync.fleet.enrolment import Enrolment, InvalidSite
from cloud_sync.fleet.intake import PERSONAL_RECEIVED
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.rollouts.service import Rollouts
from cloud_sync.fleet.steering import Steering
from cloud_sync.overflow.shares import Shares
from cloud_sync.registry.vendor import Vendor
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, FORM_BYTES_MAX, WebShell, field

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True)
class Services:
    """What the pages call."""

    overview: Overview
    alerts: Alerts
    enrolment: Enrolment
    steering: Steering
    metrics: FleetMetrics
    shares: Shares
    rollouts: Rollouts
    vendor: Vendor
    enrolment_endpoint: str


def console_app(services: Services, shell: WebShell) -> web.Application:
    """The application, ready for a runner."""
    app = web.Application(middlewares=[with_room, *shell.middlewares], client_max_size=FORM_BYTES_MAX)
    shell.install(app)
    pages = _Pages(services, shell)
    app.router.add_get("/healthz", pages.health)
    app.router.add_get("/readyz", pages.ready)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_routes(
        FleetPages(services.overview, services.alerts, services.rollouts, services.steering, shell).routes()
    )
    app.router.add_routes(DesiredPages(services.overview, services.steering, shell).routes())
    app.router.add_routes(RolloutPages(services.rollouts, services.vendor, shell).routes())
    app.router.add_routes(AlertPages(services.alerts, shell).routes())
    app.router.add_routes(AuditPages(services.overview, shell).routes())
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
        for state, nodes in (await self._services.overview.states()).items():
            self._services.metrics.nodes.labels(state).set(nodes)
        for state, count in (await self._services.rollouts.states()).items():
            self._services.metrics.rollouts.labels(state).set(count)
        return web.Response(body=self._services.metrics.text(), content_type="text/plain", charset="utf-8")

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
