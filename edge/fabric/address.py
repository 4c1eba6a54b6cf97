"""Where the site's MQTT broker is and how to log in: the value, and the file through which local clients find it.

The file (`run/mqtt.json`) holds no password, only where the password is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.errors import ConfigError
from core.files import write_atomic

ADDRESS_FILE = "mqtt.json"
# The two logins of the embedded broker.
NODE_LOGIN = "node"
KIOSK_LOGIN = "kiosk"
# A dead peer is noticed after one and a half of these; short enough for a person who looks at a list of kiosks.
KEEP_ALIVE_S = 15
# Reconnecting: quick at first, then at most this apart, so that a restarted broker is not stormed.
RECONNECT_S_MIN, RECONNECT_S_MAX = 1, 30


@dataclass(frozen=True)
class BrokerAddress:
    """One broker and one login. TLS exactly when `ca_file` is given."""

    host: str
    port: int
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


def publish_address(run: Path, site: str, address: BrokerAddress) -> None:
    """Tell clients on this machine where the broker is."""
    document = {
        "site": site,
        "host": address.host,
        "port": address.port,
        "username": address.username,
        "password_file": _text(address.password_file),
        "ca_file": _text(address.ca_file),
    }
    write_atomic(run / ADDRESS_FILE, json.dumps(document).encode())


def read_address(run: Path) -> tuple[str, BrokerAddress]:
    """(site id, address) as the node published them. Raises ConfigError when the node has not."""
    try:
        document = json.loads((run / ADDRESS_FILE).read_bytes())
        address = BrokerAddress(
            document["host"],
            document["port"],
            document["username"],
            _path(document["password_file"]),
            _path(document["ca_file"]),
        )
        return document["site"], address
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{run / ADDRESS_FILE} does not say where the broker is.",
            remedy="Start the node first; it writes the file when its broker is up.",
        ) from None


def new_client(client_id: str, address: BrokerAddress) -> mqtt.Client:
    """A paho client with login and TLS set, not yet connected. Raises ConfigError if a named file cannot be read."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
