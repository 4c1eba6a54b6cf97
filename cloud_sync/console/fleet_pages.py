"""The fleet page, and a node's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from cloud_sync.console.queries import FleetQuery
from cloud_sync.fleet.alerts.service import Alerts
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.rollouts.service import Rollouts
from cloud_sync.fleet.steering import Steering
from cloud_sync.store.alerts import AlertFilter
from core.webshell.shell import ACCOUNT, WebShell, field

# Updates of a node that its page shows, newest first.
PLACES_SHOWN_MAX = 10


class FleetPages:
    """Handlers of the fleet's pages."""

    def __init__(
        self, overview: Overview, alerts: Alerts, rollouts: Rollouts, steering: Steering, shell: WebShell
    ) -> None:
        self._overview = overview
        self._alerts = alerts
        self._rollouts = rollouts
        self._steering = steering
        self._shell = shell

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [
            web.get("/", self.fleet),
            web.get("/fleet/rows", self.fleet_rows),
            web.get("/nodes/{id}", self.node),
            web.get("/nodes/{id}/live", self.node_live),
            web.post("/nodes/{id}/revoke", self.revoke),
        ]

    async def fleet(self, request: web.Request) -> web.Response:
        """The nodes that the address asks for, and the form that asks for others."""
        return await self._fleet(request, "fleet.html")

    async def fleet_rows(self, request: web.Request) -> web.Response:
        """The same nodes as they are now."""
        return await self._fleet(request, "fleet_rows.html")

    async def _fleet(self, request: web.Request, template: str) -> web.Response:
        query = FleetQuery.read(request.query)
        fleet = await self._overview.fleet(query.filter, query.order)
        if not fleet.nodes and query.page > 1:  # nodes went since that page was there
            query = replace(query, page=min(query.page, query.pages(fleet.found)))
            fleet = await self._overview.fleet(query.filter, query.order)
        return self._shell.render(request, template, fleet=fleet, query=query)

    async def node(self, request: web.Request) -> web.Response:
        """Everything of one node."""
        return await self._node_page(request, revoke_error=None)

    async def node_live(self, request: web.Request) -> web.Response:
        """The part of it that changes by itself."""
        return self._shell.render(request, "node_live.html", **await self._live(request))

    async def _live(self, request: web.Request) -> dict[str, Any]:
        node, counts = await self._overview.node(request.match_info["id"])
        alerts = await self._alerts.list(AlertFilter(subject=node.id))
        places = await self._rollouts.of_node(node.id)
        return {"node": node, "counts": counts, "alerts": alerts, "places": places[:PLACES_SHOWN_MAX]}

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Revoke a node whose id was typed."""
        node_id = request.match_info["id"]
        if await field(request, "confirm") != node_id:
            return await self._node_page(request, revoke_error="Type the node's identifier to revoke it.")
        await self._steering.revoke(node_id, request[ACCOUNT].name)
        raise web.HTTPSeeOther(f"/nodes/{node_id}")

    async def _node_page(self, request: web.Request, revoke_error: str | None) -> web.Response:
        context = await self._live(request)
        node_id = context["node"].id
        return self._shell.render(
            request,
            "node.html",
            status=400 if revoke_error else 200,
            history=await self._overview.history(node_id),
            gaps=await self._overview.gaps_of(node_id),
            ledgers=await self._overview.ledgers_of(node_id),
            audit=await self._overview.audit_of(node_id),
            revoke_error=revoke_error,
            **context,
        )
