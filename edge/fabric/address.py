"""Where the site's MQTT broker is and how to log in: the value, and the file through which local clients find it.

The file (`run/mqtt.json`) holds no password, only where the password is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from core.files import write_atomic

ADDRESS_FILE = "mqtt.json"
# The two logins of the embedded broker.
NODE_LOGIN = "node"
KIOSK_LOGIN = "kiosk"


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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
