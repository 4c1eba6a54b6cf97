"""What a tap heard of a courier, held against what its ledger had announced. Pure; part of `ledger`.

A message was announced if an intent of the same life of the courier, to that destination, commits to just these bytes
and no other message was taken for it. What is left over must be framing, byte for byte.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from edge.egress.envelope import commitment
from edge.egress.ledger import Leaf
from postern.v1 import sync_pb2, witness_pb2
from tests.bench.egress_tap import MESSAGE_HEAD_BYTES

# Of an envelope of which some may have left, though the ledger does not say that all has.
PERHAPS = frozenset({"unknown", "failed"})
LOG_KEY_BYTES = 32

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True)
class Said:
    """A message of gRPC. `size`: as its head has it, None where not even that came; `content` is shorter where it was
    cut."""

    content: bytes
    size: int | None

    @property
    def whole(self) -> bool:
        return self.size == len(self.content)


def said_in(streams: Iterable[bytes]) -> Iterator[Said]:
    """The messages of streams of HTTP/2, of each in order."""
    for stream in streams:
        left = stream
        while left:
            head, rest = left[:MESSAGE_HEAD_BYTES], left[MESSAGE_HEAD_BYTES:]
            if len(head) < MESSAGE_HEAD_BYTES:
                yield Said(b"", None)
                break
            size = int.from_bytes(head[1:], "big")
            yield Said(rest[:size], size)
            left = rest[size:]


def rows_in(said: Iterable[Said]) -> int:
    """Rows of whole batches among them."""
    found = 0
    for one in said:
        if one.whole and (batch := _exactly(sync_pb2.UploadRequest, one.content)) is not None:
            found += len(batch.outbox_batch.rows)
    return found


@dataclass
class Compared:
    """Of one life and one destination: envelopes by what the tap heard of them, and what nobody had announced."""

    intents: dict[str, Leaf]
    sent: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    framing: int = 0
    unlogged: list[str] = field(default_factory=list)

    def told_as_kept(self, outcomes: Mapping[str, str]) -> set[str]:
        """Of which the ledger says that nothing left, though the tap heard it."""
        return {envelope for envelope in self.sent | self.cut if outcomes.get(envelope) == "not_sent"}


def compare(
    leaves: Iterable[Leaf],
    said: Iterable[Said],
    outcomes: Mapping[str, str],
    salt_of: Callable[[str], bytes | None],
) -> Compared:
    """`leaves`: the intents of that life to that destination. `salt_of`: an envelope's; None where nobody knows it."""
    found = Compared({str(leaf.fields["envelope"]): leaf for leaf in leaves})
    salts = {envelope: salt_of(envelope) for envelope in found.intents}
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for envelope, leaf in found.intents.items():
        by_size[int(leaf.fields["bytes"])].append(envelope)
    cut = []
    for one in said:
        if not one.whole:
            cut.append(one)
        elif envelope := _announced(one.content, by_size[len(one.content)], found, salts):
            found.sent.add(envelope)
            by_size[len(one.content)].remove(envelope)
        elif is_framing(one.content):
            found.framing += 1
        else:
            found.unlogged.append(f"{len(one.content)} bytes that begin with {one.content[:1].hex()}")
    for one in cut:
        left = [envelope for size, those in by_size.items() if one.size in (None, size) for envelope in those]
        perhaps = [envelope for envelope in left if outcomes.get(envelope, "unknown") in PERHAPS]
        if perhaps:
            found.cut.add(perhaps[0])
            by_size[int(found.intents[perhaps[0]].fields["bytes"])].remove(perhaps[0])
        else:
            found.unlogged.append(f"{len(one.content)} bytes of {one.size}, cut")
    return found


def _announced(
    content: bytes, envelopes: Sequence[str], found: Compared, salts: Mapping[str, bytes | None]
) -> str | None:
    """The first that commits to these bytes."""
    for envelope in envelopes:
        salt = salts[envelope]
        if salt is not None and commitment(salt, content) == found.intents[envelope].fields["commitment"]:
            return envelope
    return None


def is_framing(content: bytes) -> bool:
    """What a link says of itself: it is in the ledger as sums of its connection (ADR 67)."""
    connect = _exactly(sync_pb2.ConnectRequest, content)
    if connect is not None and connect.WhichOneof("frame") in {"hello", "heartbeat"}:
        return True
    upload = _exactly(sync_pb2.UploadRequest, content)
    if upload is not None and upload.WhichOneof("frame") == "upload_open":
        return True
    shown = _exactly(witness_pb2.AddCheckpointRequest, content)
    return shown is not None and len(shown.log_key) == LOG_KEY_BYTES


def _exactly(kind: type[_M], content: bytes) -> _M | None:
    """The message, where these bytes are one of that kind and hold nothing else."""
    found = kind()
    try:
        found.ParseFromString(content)
    except DecodeError:
        return None
    found.DiscardUnknownFields()
    return found if found.SerializeToString() == content else None


def outcomes_of(leaves: Iterable[Leaf]) -> dict[str, str]:
    """How each envelope ended, by the last close that there is of it."""
    return {
        str(leaf.fields["envelope"]): str(leaf.fields["outcome"]) for leaf in leaves if leaf.type == "close"
    }


def open_of(leaves: Iterable[Leaf]) -> set[str]:
    """Envelopes that were announced more often than closed."""
    times: Counter[str] = Counter()
    for leaf in leaves:
        if leaf.type in ("intent", "close"):
            times[str(leaf.fields["envelope"])] += 1 if leaf.type == "intent" else -1
    return {envelope for envelope, count in times.items() if count}
