"""A small MQTT broker inside the node (amqtt), on loopback, for a site that has none.

Two logins with random passwords in the site's `keys/`. It keeps nothing on disk and speaks no TLS: a site that wants
kiosks on other machines runs mosquitto and names it in `site.toml`. Importing amqtt takes most of a second, so it
happens in `start`, in a thread, after the node is ready.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import PosternError
from core.files import write_atomic
from edge.fabric.address import NODE_LOGIN, BrokerAddress

if TYPE_CHECKING:
    from edge.fabric.broker_access import Refused

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# Kiosks of a small site and the node itself; more belong to a broker of their own.
CONNECTIONS_MAX = 64
# 256 bits, as text that survives any file format.
PASSWORD_BYTES = 32
# amqtt waits up to 5 s for its queue; what is left then is not worth holding up a stop.
STOP_S_MAX = 3.0
LISTENER = "default"


class BrokerFailed(PosternError):
    """The embedded broker could not start."""

    code = "broker_failed"
    title = "The embedded MQTT broker could not start"
    remedy = (
        'Name another broker in site.toml ([mqtt] broker = "external"), or switch it off (broker = "off").'
    )


class EmbeddedBroker:
    """amqtt behind two calls. `refused`: writes down who is not let in.

    `port` 0, or one that is taken, gives a free port; `start` returns the real address.
    """

    def __init__(self, site: str, keys: Path, refused: Refused, port: int = 0) -> None:
        self._site = site
        self._keys = keys
        self._refused = refused
        self._port = port
        self._broker: Any = None
        self._server: asyncio.Server | None = None
        self._connections = 0

    @property
    def kiosk_password_file(self) -> Path:
        """What a kiosk of this site logs in with."""
        return self._keys / "mqtt-kiosk.password"

    async def start(self) -> BrokerAddress:
        """Serve; the address is the node's own login. Raises BrokerFailed."""
        node_file = self._keys / "mqtt-node.password"
        node, kiosk = _password(node_file), _password(self.kiosk_password_file)
        try:
            module = await asyncio.to_thread(importlib.import_module, "amqtt.broker")
            await asyncio.to_thread(importlib.import_module, "edge.fabric.broker_access")
            _quieten()
            self._broker = module.Broker(
                _settings(self._site, node, kiosk, self._refused), loop=asyncio.get_running_loop()
            )
            await self._broker.start()
            self._server = await self._listen()
        except Exception as error:
            await self.stop()
            raise BrokerFailed(f"{type(error).__name__} while starting the embedded broker.") from error
        port = self._server.sockets[0].getsockname()[1]
        return BrokerAddress(HOST, port, NODE_LOGIN, node_file)

    async def stop(self) -> None:
        """End every connection and stop serving."""
        server, self._server = self._server, None
        broker, self._broker = self._broker, None
        if server is not None:
            server.close()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                if broker is not None and broker.transitions.state == "started":
                    await broker.shutdown()
                if server is not None:
                    await server.wait_closed()
        except TimeoutError:
            log.warning("the embedded broker did not stop in time", extra={"limit_s": STOP_S_MAX})

    async def _listen(self) -> asyncio.Server:
        try:
            return await asyncio.start_server(self._accept, HOST, self._port)
        except OSError:
            log.warning("the broker's port is taken; using a free one", extra={"port": self._port})
            return await asyncio.start_server(self._accept, HOST, 0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS_MAX or self._broker is None:
            log.warning("the embedded broker is full", extra={"limit": CONNECTIONS_MAX})
            writer.close()
            return
        self._connections += 1
        try:
            await self._broker.stream_connected(reader, writer, LISTENER)
        finally:
            self._connections -= 1
            writer.close()


def _settings(site: str, node_password: str, kiosk_password: str, refused: Refused) -> dict[str, Any]:
    """amqtt's configuration: we listen ourselves, and only our own plug-ins run."""
    return {
        "listeners": {LISTENER: {"type": "external"}},
        "plugins": {
            "edge.fabric.broker_access.Logins": {
                "node_password": node_password,
                "kiosk_password": kiosk_password,
                "refused": refused,
            },
            "edge.fabric.broker_access.Topics": {"site": site, "refused": refused},
        },
    }


def _password(path: Path) -> str:
    """The password in `path`, made on first use."""
    if not path.exists():
        write_atomic(path, secrets.token_urlsafe(PASSWORD_BYTES).encode())
    return path.read_text(encoding="utf-8").strip()


def _quieten() -> None:
    """amqtt tells every packet at INFO; only its warnings are news."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)
