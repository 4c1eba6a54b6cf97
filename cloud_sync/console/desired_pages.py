"""What is wanted of a group or of one node: a form, which changes that and nothing newer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from cloud_sync.fleet.desired_fields import (
    ANSWER_MODES,
    FIELDS,
    HEARTBEAT_S_MAX,
    HEARTBEAT_S_MIN,
    NOTES_CHARACTERS_MAX,
    Fields,
    fields_of,
    read_fields,
)
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.steering import (
    DOCUMENT_BYTES_MAX,
    DesiredChanged,
    InvalidDesired,
    Setting,
    Steering,
    read_document,
)
from cloud_sync.fleet.views import NodeView
from cloud_sync.store.node_search import REVOKED_STATE, NodeFilter, NodeOrder
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field

_NOTHING = b"{}"
_NOT_CONFIRMED = "A privacy policy is among the settings."
# Changes that the page lists, newest first: who was here lately.
CHANGES_SHOWN_MAX = 5
# What the form shows it takes again: lines, indents and the form's encoding make four of a byte, and more at times.
DESIRED_FORM_BYTES_MAX = 8 * DOCUMENT_BYTES_MAX


@dataclass(frozen=True)
class _Place:
    """Whose settings a page is about, and what they are now."""

    node: NodeView | None
    """None: a group's."""
    group: str
    nodes: int
    """How many get what is saved."""
    setting: Setting
    of_group: Setting
    begins: Fields
    """What the form begins with: a node without settings of its own has its group's, which saving would replace."""

    @property
    def borrowed(self) -> bool:
        """Whether the form begins with the group's."""
        said = self.begins.others or any(self.begins.given.values())
        return self.node is not None and self.setting.document is None and bool(said)

    @property
    def ends_policy(self) -> bool:
        """Whether taking back ends a privacy policy."""
        return bool(fields_of(self.setting.document).given["policy"])

    @property
    def of_group_etag(self) -> str | None:
        """The tag of the group's settings, if it is those that the form of a node begins with."""
        return self.of_group.etag if self.node and self.setting.document is None else None

    @property
    def etag(self) -> str:
        """Of all that the form begins with."""
        return " ".join(tag for tag in (self.setting.etag, self.of_group_etag) if tag)

    @property
    def address(self) -> str:
        """The query of its page."""
        return urlencode({"node": self.node.id} if self.node else {"group": self.group})


@dataclass(frozen=True)
class _Tried:
    """What came of saving."""

    given: Mapping[str, str]
    faults: Mapping[str, str]
    """By field."""
    fault: PosternError | None


@web.middleware
async def with_room(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the form be as large as what it shows. Goes before whatever reads forms."""
    if request.path == "/desired":
        request = request.clone(client_max_size=DESIRED_FORM_BYTES_MAX)
    return await handler(request)


class DesiredPages:
    """Handlers of the form."""

    def __init__(self, overview: Overview, steering: Steering, shell: WebShell) -> None:
        self._overview = overview
        self._steering = steering
        self._shell = shell

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [web.get("/desired", self.view), web.post("/desired", self.save)]

    async def view(self, request: web.Request) -> web.Response:
        """What is set now, to be changed."""
        return await self._page(request, await self._place(request), None)

    async def save(self, request: web.Request) -> web.StreamResponse:
        """Want what was typed, or nothing any more, if nobody else changed it since the page was read."""
        place = await self._place(request)
        # A text area gives lines as HTTP has them.
        given = {name: (await field(request, name)).replace("\r\n", "\n") for name in FIELDS}
        values, faults = read_fields(given)
        try:
            if await field(request, "etag") != place.etag:
                raise DesiredChanged
            if await field(request, "take_back"):
                if place.ends_policy and not await field(request, "confirm"):
                    raise InvalidDesired(
                        _NOT_CONFIRMED, remedy="Tick that it goes, too, and take them back again."
                    )
                await self._set(request, place, b"")
            elif not faults:
                await self._set(request, place, _document(place.begins.others, values))
            else:
                return await self._page(request, place, _Tried(given, faults, None))
        except DesiredChanged as fault:
            return await self._page(request, await self._place(request), _Tried(given, faults, fault))
        except InvalidDesired as fault:
            return await self._page(request, place, _Tried(given, {}, fault))
        raise web.HTTPSeeOther(f"/nodes/{place.node.id}" if place.node else f"/?{place.address}")

    async def _set(self, request: web.Request, place: _Place, document: bytes) -> None:
        """Raises DesiredChanged."""
        actor, etag = request[ACCOUNT].name, place.setting.etag
        if place.node:
            await self._steering.set_for_node(place.node.id, document, actor, etag, place.of_group_etag)
        else:
            await self._steering.set_for_group(place.group, document, actor, etag)

    async def _place(self, request: web.Request) -> _Place:
        """Raises UnknownNode, InvalidDesired."""
        node_id = request.query.get("node", "")
        node = (await self._overview.node(node_id))[0] if node_id else None
        group = node.group if node else request.query.get("group", "")
        of_group = await self._steering.setting_of_group(group)
        if node is None:
            fleet = await self._overview.fleet(NodeFilter(group=group), NodeOrder(limit=1))
            nodes = fleet.found - fleet.by_state[REVOKED_STATE]
            return _Place(None, group, nodes, of_group, of_group, fields_of(of_group.document))
        setting = await self._steering.setting_of_node(node.id)
        begins = of_group.document if setting.document is None else setting.document
        return _Place(node, group, 1, setting, of_group, fields_of(begins))

    async def _page(self, request: web.Request, place: _Place, tried: _Tried | None) -> web.Response:
        now = place.begins.given
        given = tried.given if tried else place.begins.given
        fault = tried.fault if tried else None
        status = fault.status if fault else InvalidDesired.status if tried else 200
        changes = await self._overview.audit_of(place.setting.scope)
        return self._shell.render(
            request,
            "desired.html",
            status,
            place=place,
            labels=FIELDS,
            modes=ANSWER_MODES,
            heartbeat=(HEARTBEAT_S_MIN, HEARTBEAT_S_MAX),
            notes_characters=NOTES_CHARACTERS_MAX,
            given=given,
            faults=tried.faults if tried else {},
            fault=fault,
            meanwhile=isinstance(fault, DesiredChanged),
            there=[(FIELDS[name], now[name], given[name]) for name in FIELDS if now[name] or given[name]],
            changes=changes[:CHANGES_SHOWN_MAX],
        )


def _document(others: Mapping[str, object], values: Mapping[str, object]) -> bytes:
    """Raises InvalidDesired."""
    document = read_document(json.dumps({**others, **values}))
    if document == _NOTHING:
        raise InvalidDesired("No field is filled in.", remedy="Fill one in, or take back what is set.")
    return document
