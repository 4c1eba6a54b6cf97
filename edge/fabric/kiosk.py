"""What a kiosk runs beside its browser: says on MQTT that it is there, and leaves a last will for when it is not.

`python -m edge.fabric.kiosk --site DIR --id lobby` finds the broker through the site's `run/mqtt.json`. It carries no
question and no answer.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from core.errors import ConfigError, PosternError
from edge.config import site_paths
from edge.fabric.address import BrokerAddress, read_address
from edge.fabric.client import KEEP_ALIVE_S, new_client
from edge.fabric.presence import DEVICE_ID, topic_of

# The goodbye is one small packet to a broker nearby.
GOODBYE_S_MAX = 2.0
# A node answers customers first and starts its broker then; on a loaded machine that takes seconds.
NODE_STARTS_S = 30.0
LOOK_AGAIN_S = 0.2
ONLINE = b'{"state":"online"}'
OFFLINE = b'{"state":"offline"}'


class Kiosk:
    """Presence of one device, from `start` to `stop`; paho reconnects by itself, and says so again.

    `on_online` is called on paho's thread each time the broker has confirmed our presence.
    """

    def __init__(
        self, site: str, device_id: str, address: BrokerAddress, on_online: Callable[[], None] = lambda: None
    ) -> None:
        self._topic = topic_of(site, device_id)
        self._address = address
        self._client = new_client(f"postern-kiosk-{device_id}", address)
        self._client.will_set(self._topic, OFFLINE, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._on_online = on_online
        self._online_message: int | None = None

    def start(self) -> None:
        """Connect in the background, and go on trying."""
        self._client.connect_async(self._address.host, self._address.port, KEEP_ALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye and disconnect."""
        if self._client.is_connected():
            self._client.publish(self._topic, OFFLINE, qos=1, retain=True).wait_for_publish(GOODBYE_S_MAX)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            sys.stderr.write(f"the broker refused this kiosk: {reason}\n")
            return
        self._online_message = client.publish(self._topic, ONLINE, qos=1, retain=True).mid

    def _on_publish(
        self, _client: mqtt.Client, _data: Any, message: int, _reason: Any, _properties: Any
    ) -> None:
        if message == self._online_message:
            self._on_online()


def main(arguments: list[str] | None = None) -> int:
    """Run until asked to stop; one JSON line on stdout when the broker has heard us."""
    parser = argparse.ArgumentParser(prog="python -m edge.fabric.kiosk", description="Presence of one kiosk.")
    parser.add_argument("--site", type=Path, required=True, help="the site's folder")
    parser.add_argument("--id", required=True, help="the kiosk's id: lower-case letters, digits, dashes")
    options = parser.parse_args(arguments)
    if not DEVICE_ID.fullmatch(options.id):
        parser.error("--id takes lower-case letters, digits and dashes, at most 40")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        found = _find_broker(site_paths(options.site).run, stopping)
        if found is None:
            return 0
        site, address = found
        kiosk = Kiosk(site, options.id, address, lambda: _say_online(options.id))
    except PosternError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n  {error.remedy}\n")
        return int(error.exit_code)
    kiosk.start()
    stopping.wait()
    kiosk.stop()
    return 0


def _find_broker(run: Path, stopping: threading.Event) -> tuple[str, BrokerAddress] | None:
    """Where the node says its broker is, which a node that is starting does soon; None when asked to stop before.

    Raises ConfigError.
    """
    give_up_at = time.monotonic() + NODE_STARTS_S
    while True:
        try:
            return read_address(run)
        except ConfigError:
            if time.monotonic() > give_up_at:
                raise
        if stopping.wait(LOOK_AGAIN_S):
            return None


def _say_online(device_id: str) -> None:
    sys.stdout.write(json.dumps({"event": "online", "id": device_id}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
