"""Who may do what on the embedded broker: its two logins and their topics, as plug-ins of amqtt.

The node reads presence and writes nothing; a kiosk writes presence and reads nothing. Imported by amqtt itself, by
name, because importing amqtt takes too long to do before the node is ready.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from edge.fabric.address import KIOSK_LOGIN, NODE_LOGIN
from edge.fabric.presence import topic_of


class Logins(BaseAuthPlugin):  # type: ignore[misc]
    """Accepts the site's two passwords, in constant time."""

    @dataclass
    class Config:
        """The passwords of the two logins."""

        node_password: str
        kiosk_password: str

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the session's login and password are the site's."""
        expected = {NODE_LOGIN: self.config.node_password, KIOSK_LOGIN: self.config.kiosk_password}
        password = expected.get(session.username or "")
        given = (session.password or "").encode()
        return password is not None and hmac.compare_digest(password.encode(), given)


class Topics(BaseTopicPlugin):  # type: ignore[misc]
    """Presence only: kiosks publish it, the node subscribes to it."""

    @dataclass
    class Config:
        """The site whose topics these are."""

        site: str

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether this session may do this on this topic."""
        login = session.username if session is not None else None
        if action == Action.PUBLISH:
            parts = (topic or "").split("/")
            return login == KIOSK_LOGIN and len(parts) == 5 and topic == topic_of(self.config.site, parts[3])
        return login == NODE_LOGIN
