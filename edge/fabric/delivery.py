"""What staff are told of a ticket, and what every way of telling them promises. No I/O here.

A notice names a ticket, a time, the site and where the console is. There is nothing else in it to leak: no words of the
customer, and no intent, which at a hospital would be health data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from core.errors import PosternError

# A server of the site's own network answers within this.
DELIVERY_TIMEOUT_S = 10.0


class DeliveryFailed(PosternError):
    """Staff could not be told of a ticket; it is tried again."""

    code = "delivery_failed"
    title = "Staff could not be told of a ticket"
    remedy = "Look at the server that [handoff] names; the ticket itself is in the inbox."


@dataclass(frozen=True, slots=True)
class Notice:
    """`id` stays the same when it is sent again, so that the other side can tell."""

    id: str
    ticket: str
    created_ms: int
    site: str
    site_id: str
    console_url: str

    @property
    def created(self) -> datetime:
        """When the customer asked for a person."""
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)


class Carrier(Protocol):
    """A way of telling staff."""

    @property
    def host(self) -> str:
        """The server that is told, as the settings name it."""

    def size(self, notice: Notice) -> int:
        """Bytes that are about to be handed over."""

    async def send(self, notice: Notice) -> None:
        """Hand it over. Raises DeliveryFailed, NotLocal, NotReachable."""
