"""A repository of The Update Framework in memory, which signs whatever a test wants it to say."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edge.egress.fetch.client import NOT_FOUND, FetchFailed

TOP = ("root", "timestamp", "snapshot", "targets")
EVERYTHING = ("targets", "snapshot", "timestamp")
_NAME = re.compile(r"(?:(\d+)\.)?(.+)\.json")


class TufRepository:
    """Payloads to change, `publish` to sign and offer them. Every role is at version 1 to begin with."""

    def __init__(self, now: datetime | None = None) -> None:
        self.ends = (now or datetime.now(UTC)).replace(microsecond=0) + timedelta(days=30)
        self.signers: dict[str, dict[str, CryptoSigner]] = {}
        self.published: dict[str, dict[int, bytes]] = {}
        self.newest: dict[str, bytes] = {}
        self.asked: list[tuple[str, int | None]] = []
        self.with_hashes = False
        self.root = Root(
            1, expires=self.ends, roles={role: Role([], 1) for role in TOP}, consistent_snapshot=True
        )
        self.timestamp = Timestamp(1, expires=self.ends, snapshot_meta=MetaFile(1))
        self.snapshot = Snapshot(1, expires=self.ends, meta={"targets.json": MetaFile(1)})
        self.targets = Targets(1, expires=self.ends, targets={})
        self.payloads: dict[str, Any] = {role: getattr(self, role) for role in TOP}
        for role in TOP:
            self.add_key(role)
        self.publish("root", *EVERYTHING, bump=False)

    def copy(self) -> TufRepository:
        """The same keys and files, to change apart."""
        made = copy.copy(self)
        made.payloads = copy.deepcopy(self.payloads)
        for role in TOP:
            setattr(made, role, made.payloads[role])
        made.signers = {role: dict(signers) for role, signers in self.signers.items()}
        made.published = {role: dict(files) for role, files in self.published.items()}
        made.newest, made.asked = dict(self.newest), []
        return made

    def add_key(self, role: str, signer: CryptoSigner | None = None, delegator: str = "") -> CryptoSigner:
        """One more key for a role, which signs from now on."""
        signer = signer or CryptoSigner.generate_ed25519()
        self.payloads[delegator or "root"].add_key(signer.public_key, role)
        self.signers.setdefault(role, {})[signer.public_key.keyid] = signer
        return signer

    def rotate(self, role: str) -> None:
        """New keys in the place of a role's; the root must be published."""
        for key_id in list(self.root.roles[role].keyids):
            self.root.revoke_key(key_id, role)
        self.signers[role] = {}
        self.add_key(role)

    def delegate(self, role: DelegatedRole, to: Targets | None = None, delegator: str = "targets") -> Targets:
        """A delegated role, which signs with a key of its own; an earlier one of that name stays what it was."""
        payload = self.payloads.setdefault(role.name, to or Targets(1, expires=self.ends, targets={}))
        above = self.payloads[delegator]
        if above.delegations is None:
            above.delegations = Delegations({}, roles={})
        above.delegations.roles[role.name] = role
        for signer in self.signers.get(role.name, {}).values():
            above.add_key(signer.public_key, role.name)
        if role.name not in self.signers:
            self.add_key(role.name, delegator=delegator)
        return payload  # type: ignore[no-any-return]

    def add_target(self, path: str, content: bytes, role: str = "targets", **custom: Any) -> None:
        """Say that a target exists."""
        more = {"custom": custom} if custom else {}
        digest = sha256(content).hexdigest()
        self.payloads[role].targets[path] = TargetFile(len(content), {"sha256": digest}, path, more)

    def publish(self, *roles: str, bump: bool = True) -> None:
        """Sign roles, each under its next version; a snapshot names the newest targets, a timestamp the snapshot."""
        for role in roles:
            payload = self.payloads[role]
            if role == "snapshot":
                for name in self.payloads:
                    if isinstance(self.payloads[name], Targets) and name in self.newest:
                        payload.meta[f"{name}.json"] = self._meta(name)
            if role == "timestamp":
                payload.snapshot_meta = self._meta("snapshot")
            if bump and role in self.published:
                payload.version += 1
            self.put(role, payload.version, self.signed(role))

    def signed(self, role: str) -> bytes:
        """A role's payload with the signatures of all its signers."""
        metadata: Metadata[Any] = Metadata(self.payloads[role])
        for signer in self.signers[role].values():
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def put(self, role: str, version: int, content: bytes) -> None:
        """Offer bytes as a role's newest, under a version."""
        self.published.setdefault(role, {})[version] = content
        self.newest[role] = content

    def file(self, name: str) -> bytes:
        """What is asked for. Raises FetchFailed."""
        found = _NAME.fullmatch(name)
        assert found, name
        version, role = int(found[1]) if found[1] else None, unquote(found[2])
        assert "/" not in name
        self.asked.append((role, version))
        content = self.newest.get(role) if version is None else self.published.get(role, {}).get(version)
        if content is None:
            raise FetchFailed(NOT_FOUND)
        return content

    def _meta(self, role: str) -> MetaFile:
        version = self.payloads[role].version
        return (
            MetaFile.from_data(version, self.newest[role], ["sha256"])
            if self.with_hashes
            else MetaFile(version)
        )


@dataclass
class Served:
    """Repositories by name, as a courier fetches from them."""

    repositories: dict[str, TufRepository]
    failing: dict[str, FetchFailed] = field(default_factory=dict)

    async def metadata(self, repository: str, name: str) -> bytes:
        if name in self.failing:
            raise self.failing[name]
        return self.repositories[repository].file(name)
