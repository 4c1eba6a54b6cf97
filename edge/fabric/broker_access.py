"""Who may do what on the embedded broker: its two logins and their topics, as plug-ins of amqtt.

The node reads presence and writes nothing; a kiosk writes presence and reads nothing. Imported by amqtt itself, by
name, because importing amqtt takes too long to do before the node is ready.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from edge.fabric.address import KIOSK_LOGIN, NODE_LOGIN
from edge.fabric.presence import topic_of

ACTION = "mqtt.refused"
Refused = Callable[[str, str, str], Awaitable[None]]
"""Writes down that somebody was refused: actor, action, object."""


class Logins(BaseAuthPlugin):  # type: ignore[misc]
    """Accepts the site's two passwords, in constant time."""

    @dataclass
    class Config:
        """The passwords of the two logins, and where refusals are written down."""

        node_password: str
        kiosk_password: str
        refused: Any  # a Refused: amqtt checks types, and knows none of functions

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the session's login and password are the site's."""
        expected = {NODE_LOGIN: self.config.node_password, KIOSK_LOGIN: self.config.kiosk_password}
        password = expected.get(session.username or "")
        given = (session.password or "").encode()
        if password is not None and hmac.compare_digest(password.encode(), given):
            return True
        await self.config.refused(session.username if password is not None else "unknown", ACTION, "login")
        return False


class Topics(BaseTopicPlugin):  # type: ignore[misc]
    """Presence only: kiosks publish it, the node subscribes to it."""

    @dataclass
    class Config:
        """The site whose topics these are, and where refusals are written down."""

        site: str
        refused: Any  # as above

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether this session may do this on this topic."""
        login = (session.username if session is not None else None) or "unknown"
        if self._may(login, topic or "", action):
            return True
        what = "publish" if action == Action.PUBLISH else "subscribe"
        await self.config.refused(login, ACTION, what)
        return False

    def _may(self, login: str, topic: str, action: Action | None) -> bool:
        if action == Action.PUBLISH:
            parts = topic.split("/")
            return login == KIOSK_LOGIN and len(parts) == 5 and topic == topic_of(self.config.site, parts[3])
        return login == NODE_LOGIN
