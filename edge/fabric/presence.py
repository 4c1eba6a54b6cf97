"""The rules of device presence: which messages count, and what they make of the list of devices. No I/O, no clock.

A device says `{"state":"online"}` on `postern/<site>/kiosk/<id>/presence`, retained, and leaves `offline` there as its
last will. Whatever else arrives is dropped and counted; it never raises, because anyone on the site's LAN may write.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

State = Literal["online", "offline", "unknown"]
DropReason = Literal["topic", "id", "size", "malformed", "full"]

# A site has a handful of kiosks; this bounds what a broken or hostile publisher can make us remember.
DEVICES_MAX = 256
# A presence message is some 20 bytes; room for fields of later versions.
PAYLOAD_BYTES_MAX = 1024
DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Device:
    """A device of the site as it last reported; `last_seen` is None when only a retained message speaks for it."""

    id: str
    state: State
    last_seen: datetime | None


@dataclass(frozen=True)
class Presence:
    """One valid presence message. `state` None: the device was removed (an empty retained message)."""

    device_id: str
    state: State | None


def topic_of(site: str, device_id: str) -> str:
    """The topic on which a kiosk reports; with `+` for the id, the filter for all of them."""
    return f"postern/{site}/kiosk/{device_id}/presence"


def parse(site: str, topic: str, payload: bytes) -> Presence | DropReason:
    """The message's meaning, or why it has none."""
    parts = topic.split("/")
    if len(parts) != 5 or topic != topic_of(site, parts[3]):
        return "topic"
    device_id = parts[3]
    if not DEVICE_ID.fullmatch(device_id):
        return "id"
    if len(payload) > PAYLOAD_BYTES_MAX:
        return "size"
    if not payload:
        return Presence(device_id, None)
    state = _state(payload)
    return "malformed" if state is None else Presence(device_id, state)


def _state(payload: bytes) -> State | None:
    """The state in a payload; one that a later version may invent is `unknown`, not an error."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("state"), str):
        return None
    match document["state"]:
        case "online":
            return "online"
        case "offline":
            return "offline"
    return "unknown"


class Roster:
    """The site's devices, changed one message at a time."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}

    def apply(self, presence: Presence, at: datetime | None) -> bool:
        """Take one message in; `at` is None for a retained one. False when the list is full."""
        if presence.state is None:
            self._devices.pop(presence.device_id, None)
            return True
        known = self._devices.get(presence.device_id)
        if known is None and len(self._devices) >= DEVICES_MAX:
            return False
        seen = at if at is not None else (known.last_seen if known else None)
        self._devices[presence.device_id] = Device(presence.device_id, presence.state, seen)
        return True

    def lose_broker(self) -> None:
        """Without the broker nothing is known, and saying `online` would be a guess."""
        self._devices = {id_: replace(device, state="unknown") for id_, device in self._devices.items()}

    def snapshot(self) -> tuple[Device, ...]:
        """All devices by id."""
        return tuple(self._devices[id_] for id_ in sorted(self._devices))
