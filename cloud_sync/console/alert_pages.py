"""The alerts page: what an admin must look at, who looks after it, and what is silenced."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from cloud_sync.fleet.alerts.rules import KINDS
from cloud_sync.fleet.alerts.service import Alerts, InvalidSilence
from cloud_sync.store.alerts import AlertFilter
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field

ALERTS_A_PAGE = 50
_NUMBER_DIGITS_MAX = 18


class AlertPages:
    """Handlers of the alerts page."""

    def __init__(self, alerts: Alerts, shell: WebShell) -> None:
        self._alerts = alerts
        self._shell = shell

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [
            web.get("/alerts", self.view),
            web.get("/alerts/live", self.live),
            web.post("/alerts/{id}/acknowledge", self.acknowledge),
            web.post("/silences", self.silence),
            web.post("/silences/{id}/end", self.end_silence),
        ]

    async def view(self, request: web.Request) -> web.Response:
        """Open alerts, or all of them; silences, and the form for another one."""
        return await self._page(request, "alerts.html", None)

    async def live(self, request: web.Request) -> web.Response:
        """The alerts as they are now."""
        return await self._page(request, "alerts_live.html", None)

    async def acknowledge(self, request: web.Request) -> web.StreamResponse:
        """Look after an alert."""
        number = _number(request.match_info["id"]) or 0
        await self._alerts.acknowledge(number, request[ACCOUNT].name)
        raise web.HTTPSeeOther("/alerts")

    async def silence(self, request: web.Request) -> web.StreamResponse:
        """Tell nobody of some alerts for a while."""
        scope, kind = await field(request, "scope"), await field(request, "kind")
        try:
            hours = _number(await field(request, "hours"))
            if hours is None:
                raise InvalidSilence("Say for how many hours.")
            lasting, reason = timedelta(hours=min(hours, 10_000)), await field(request, "reason")
            await self._alerts.silence(scope, lasting, request[ACCOUNT].name, kind, reason)
        except InvalidSilence as fault:
            return await self._page(request, "alerts.html", fault, scope=scope, kind=kind)
        raise web.HTTPSeeOther("/alerts")

    async def end_silence(self, request: web.Request) -> web.StreamResponse:
        """End a silence now."""
        await self._alerts.end_silence(_number(request.match_info["id"]) or 0, request[ACCOUNT].name)
        raise web.HTTPSeeOther("/alerts")

    async def _page(
        self, request: web.Request, template: str, fault: PosternError | None, scope: str = "", kind: str = ""
    ) -> web.Response:
        shown_all = request.query.get("state") == "all"
        of = request.query.get("kind", "") if request.query.get("kind", "") in KINDS else ""
        before = _number(request.query.get("before", ""))
        wanted = AlertFilter(open_only=not shown_all, kind=of)
        alerts = await self._alerts.list(wanted, before, ALERTS_A_PAGE + 1)
        return self._shell.render(
            request,
            template,
            status=fault.status if fault else 200,
            alerts=alerts[:ALERTS_A_PAGE],
            older=alerts[ALERTS_A_PAGE - 1].id if len(alerts) > ALERTS_A_PAGE else None,
            silences=await self._alerts.silences(),
            kinds=KINDS.values(),
            all=shown_all,
            of=of,
            before=before,
            fault=fault,
            scope=scope or request.query.get("scope", "")[:120],
            kind=kind or of,
        )


def _number(text: str) -> int | None:
    fine = text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS_MAX
    return int(text) or None if fine else None
