"""Rollouts: the list, the wizard with its dry run, and a rollout's waves as they go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from cloud_sync.fleet.rollouts.service import ROLLOUTS_A_PAGE, Rollouts
from cloud_sync.fleet.rollouts.spec import DEFAULT_WAVES, Gates, InvalidRollout, Spec, parse_spec
from cloud_sync.fleet.rollouts.views import RolloutView
from cloud_sync.registry.vendor import NoRegistry, Standing, Vendor
from cloud_sync.store.registry import ArtifactRow
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field

NODES_A_PAGE = 100
# Nodes of a dry run that the page lists; the numbers are of all.
CHANGES_SHOWN_MAX = 200
# Packages that were withdrawn are kept for ever; the newest tell why one is not offered any more.
WITHDRAWN_SHOWN_MAX = 50
FIELDS = (
    "package", "groups", "labels", "waves", "kept_min_percent", "failed_max_percent", "soak_minutes",
    "watch_minutes", "starts_at",
)  # fmt: skip
_PACKAGE = ("kind", "name", "version")
_DIGITS_MAX = 6
DEFAULTS: Mapping[str, str] = {
    "package": "",
    "waves": " ".join(str(share) for share in DEFAULT_WAVES),
    "kept_min_percent": str(Gates().kept_min_percent),
    "failed_max_percent": str(Gates().failed_max_percent),
    "soak_minutes": "60",
    "watch_minutes": "15",
}


class RolloutPages:
    """Handlers of the rollouts' pages."""

    def __init__(self, rollouts: Rollouts, vendor: Vendor, shell: WebShell) -> None:
        self._rollouts = rollouts
        self._vendor = vendor
        self._shell = shell
        self._commands: Mapping[str, Callable[[str, str], Awaitable[RolloutView]]] = {
            "submit": rollouts.submit,
            "approve": rollouts.approve,
            "pause": rollouts.pause,
            "resume": rollouts.resume,
            "abort": rollouts.abort,
        }

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [
            web.get("/rollouts", self.list),
            web.get("/rollouts/new", self.wizard),
            web.post("/rollouts", self.create),
            web.get("/rollouts/{id}", self.rollout),
            web.get("/rollouts/{id}/live", self.rollout_live),
            web.post("/rollouts/{id}/{command}", self.command),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """The newest first."""
        page = _whole(request.query.get("page", "")) or 1
        found = await self._rollouts.list_rollouts(first=(page - 1) * ROLLOUTS_A_PAGE)
        pages = max(1, -(-found.total // ROLLOUTS_A_PAGE))
        return self._shell.render(request, "rollouts.html", rollouts=found.rollouts, page=page, pages=pages)

    async def wizard(self, request: web.Request) -> web.Response:
        """What to whom, in which waves; once that is said, who would get it and what makes it risky."""
        given = {name: request.query.get(name, "").strip()[:500] for name in FIELDS}
        return await self._wizard(request, given, dry_run="package" in request.query)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Make the rollout whose dry run was shown."""
        given = {name: (await field(request, name))[:500] for name in FIELDS}
        try:
            view = await self._rollouts.create(_spec(given), request[ACCOUNT].name)
        except PosternError as fault:
            return await self._wizard(request, given, dry_run=False, fault=fault)
        raise web.HTTPSeeOther(f"/rollouts/{view.id}")

    async def rollout(self, request: web.Request) -> web.Response:
        """A rollout, its waves and its nodes."""
        return await self._rollout(request, "rollout.html")

    async def rollout_live(self, request: web.Request) -> web.Response:
        """The part of it that changes by itself."""
        return await self._rollout(request, "rollout_live.html")

    async def command(self, request: web.Request) -> web.StreamResponse:
        """Submit, approve, pause, resume or abort it."""
        rollout_id, command = request.match_info["id"], self._commands.get(request.match_info["command"])
        if command is None:
            raise web.HTTPNotFound
        try:
            await command(rollout_id, request[ACCOUNT].name)
        except PosternError as fault:
            return await self._rollout(request, "rollout.html", fault)
        raise web.HTTPSeeOther(f"/rollouts/{rollout_id}")

    async def _wizard(
        self, request: web.Request, given: Mapping[str, str], dry_run: bool, fault: PosternError | None = None
    ) -> web.Response:
        plan = None
        if dry_run:
            try:
                plan = await self._rollouts.plan(_spec(given))
            except PosternError as error:
                fault = error
        packages = await self._vendor.packages()
        context = {
            "plan": plan,
            "fault": fault,
            "given": {**DEFAULTS, **_said(given)},
            "packages": _offered(packages),
            "withdrawn_at": {one.target: one.withdrawn_at for one in packages}.get(given["package"]),
            "standing": await self._standing(),
            "shown": CHANGES_SHOWN_MAX,
        }
        return self._shell.render(request, "rollout_new.html", fault.status if fault else 200, **context)

    async def _standing(self) -> Standing | None:
        """Until when what is published is signed; None: there is no registry."""
        try:
            return await self._vendor.standing()
        except NoRegistry:
            return None

    async def _rollout(
        self, request: web.Request, template: str, fault: PosternError | None = None
    ) -> web.Response:
        status, page = request.query.get("status", ""), _whole(request.query.get("page", "")) or 1
        detail = await self._rollouts.show(
            request.match_info["id"],
            first=(page - 1) * NODES_A_PAGE,
            nodes_max=NODES_A_PAGE,
            status=status if status.isascii() and status.replace("_", "").isalpha() else None,
        )
        context = {
            "detail": detail,
            "rollout": detail.rollout,
            "page": page,
            "status_of": status,
            "fault": fault,
        }
        context |= {"pages": max(1, -(-detail.nodes_total // NODES_A_PAGE))}
        return self._shell.render(request, template, fault.status if fault else 200, **context)


def _offered(packages: Sequence[ArtifactRow]) -> list[ArtifactRow]:
    """What can be chosen, and what was withdrawn lately, by kind and name."""
    gone = sorted((one.withdrawn_at, one.target) for one in packages if one.withdrawn_at)
    lately = {target for _, target in gone[-WITHDRAWN_SHOWN_MAX:]}
    return [one for one in packages if not one.withdrawn_at or one.target in lately]


def _said(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _spec(given: Mapping[str, str]) -> Spec:
    """The form's fields as a rollout. Raises InvalidRollout."""
    said = {**DEFAULTS, **_said(given)}
    gates = {
        "kept_min_percent": _number(said["kept_min_percent"]),
        "failed_max_percent": _number(said["failed_max_percent"]),
        "soak_s": _seconds(said["soak_minutes"]),
    }
    package = said["package"].split("/")
    if len(package) != len(_PACKAGE):
        raise InvalidRollout("Choose a package.")
    values: dict[str, Any] = dict(zip(_PACKAGE, package, strict=True))
    values |= {name: tuple(_words(said.get(name, ""))) for name in ("groups", "labels")}
    values |= {"waves": tuple(_number(word) for word in _words(said["waves"])), "gates": gates}
    values |= {"watch_s": _seconds(said["watch_minutes"])}
    if "starts_at" in said:
        values["starts_at"] = _instant(said["starts_at"])
    return parse_spec(values)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else None


def _number(text: str) -> int | str:
    """A number, or the text as it is: what checks the rollout says which field it is."""
    found = _whole(text)
    return text if found is None else found


def _seconds(minutes: str) -> int | str:
    found = _whole(minutes)
    return minutes if found is None else found * 60


def _instant(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return text
