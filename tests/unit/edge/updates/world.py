"""An organisation with its keys, its control plane, and one node that looks what it may install."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.artifacts import Manifest
from core.signing import canonical_json
from edge.updates.trust import Trust
from tests.tuf_repository import EVERYTHING, Served, TufRepository

NODE = "node-one"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
OLD, NEW, NEXT, EVIL = (f"model/encoder/{version}" for version in ("1.0", "2.0", "3.0", "6.6.6"))


def manifest(target: str, path: str = "model.onnx", **changed: Any) -> bytes:
    kind, name, version = target.split("/")
    file = {"path": path, "size": 0, "sha256": EMPTY, "chunks": []}
    requires = {"software": "", "architectures": [], "memory_mb": 0}
    document = {"kind": kind, "name": name, "version": version, "chunk_bytes": 2**18, "files": [file]}
    return canonical_json(document | {"requires": requires} | changed)


@dataclass
class World:
    """An organisation, its control plane, the line between, and one node."""

    served: Served
    trust: Trust
    blobs: dict[str, bytes]
    """Content by target, as it is sent."""
    turn: Callable[[float], None]

    @property
    def vendor(self) -> TufRepository:
        return self.served.repositories["vendor"]

    @property
    def director(self) -> TufRepository:
        return self.served.repositories["director"]

    def assign(self, target: str, content: bytes | None = None, **custom: Any) -> None:
        """Whoever has the director's keys signs a target for the node."""
        content = self.blobs.get(target, b"") if content is None else content
        self.director.add_target(target, content, **(custom or {"node": NODE}))
        self.director.publish(*EVERYTHING)

    def release(self, target: str, content: bytes | None = None) -> None:
        """Whoever has the vendor's keys signs a target."""
        self.blobs[target] = manifest(target) if content is None else content
        self.vendor.add_target(target, self.blobs[target])
        self.vendor.publish(*EVERYTHING)

    async def install(self, target: str) -> Manifest:
        """As far as the first byte that may be installed."""
        trusted = await self.trust.look_up(target, NODE)
        return trusted.manifest(self.blobs[target])
