"""A paho client with the login and TLS of a broker's address. Imports paho, which is why it is apart."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.errors import ConfigError, PosternError
from core.network import local_addresses_now
from edge.fabric.address import BrokerAddress

log = logging.getLogger(__name__)

# A dead peer is noticed after one and a half of these; short enough for a person who looks at a list of kiosks.
KEEP_ALIVE_S = 15
# Reconnecting: quick at first, then at most this apart, so that a restarted broker is not stormed.
RECONNECT_S_MIN, RECONNECT_S_MAX = 1, 30
CONNECT_S_MAX = 5.0


class _LocalClient(mqtt.Client):
    """Connects to brokers of the site's own networks, and to none by a proxy that the environment names."""

    def _create_socket_connection(self) -> socket.socket:
        """paho asks for one on its thread, after each loss anew; an OSError makes it try again later."""
        try:
            addresses = local_addresses_now(self.host, self.port)
        except PosternError as error:
            log.warning(error.title, extra={"detail": error.detail, "remedy": error.remedy})
            raise ConnectionRefusedError(error.code) from None
        failed = OSError("the name has no address")
        for address in addresses:
            try:
                return socket.create_connection((address, self.port), CONNECT_S_MAX)
            except OSError as error:
                failed = error
        raise failed


def new_client(client_id: str, address: BrokerAddress) -> mqtt.Client:
    """A paho client with login and TLS set, not yet connected. Raises ConfigError if a named file cannot be read."""
    client = _LocalClient(CallbackAPIVersion.VERSION2, client_id=client_id)
    client.reconnect_delay_set(RECONNECT_S_MIN, RECONNECT_S_MAX)
    try:
        if address.username is not None:
            client.username_pw_set(address.username, _read_password(address.password_file))
        if address.ca_file is not None:
            client.tls_set(ca_certs=str(address.ca_file))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The broker's password_file or ca_file cannot be used: {type(error).__name__}.",
            remedy="Check mqtt.password_file and mqtt.ca_file in site.toml, and that the node may read them.",
        ) from None
    return client


def _read_password(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()
