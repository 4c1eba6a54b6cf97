"""Which packages this node may install: those that the organisation says exist and its control plane says are for it.

Two repositories of The Update Framework: the vendor's is signed offline, the director's by the control plane for this
node alone. Neither alone installs anything: both must name a target with the same length and hash, and the director's
must name this node. What is expired installs nothing new; what serves goes on serving, as nobody asks here then.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile

from core.artifacts import Manifest, read_manifest
from core.errors import PosternError
from core.files import private_folder, write_atomic
from edge.egress.fetch.client import FetchFailed
from edge.egress.fetch.order import RepositoryName
from edge.updates.tuf_client import MetadataSource, TrustRefused, find, read_root

# Of one look at both repositories: some ten small files, over a line that may be slow. Whoever feeds it drop by drop
# holds nothing up but this.
LOOK_S_MAX: Final = 300.0
_HASH: Final = "sha256"


class TrustMissing(PosternError):
    """The site has no root to begin trusting with."""

    code = "trust_missing"
    title = "This node does not know whose updates to trust"
    remedy = "Enrol the site again, or bring the root by hand: postern trust set --vendor-root FILE."
    status = 409


@dataclass(frozen=True)
class Trusted:
    """A manifest that may be installed here, once its bytes are these."""

    target: str
    sha256: str
    length: int

    def manifest(self, content: bytes) -> Manifest:
        """The manifest in `content`, if it is the one that was signed. Raises TrustRefused, InvalidArtifact."""
        if len(content) != self.length or sha256(content).hexdigest() != self.sha256:
            raise TrustRefused(f"The manifest of {self.target} is not the one that was signed.")
        manifest = read_manifest(content)
        if manifest.target != self.target:
            raise TrustRefused(f"The manifest of {self.target} is that of {manifest.target}.")
        return manifest


class Trust:
    """The site's two repositories. One look at a time."""

    def __init__(self, folder: Path, source: MetadataSource) -> None:
        """`folder`: where the roots are, and what was seen of each repository."""
        self._folder = folder
        self._source = source
        self._looking = asyncio.Lock()

    async def look_up(self, target: str, node_id: str) -> Trusted:
        """What both repositories say of `target` now.

        Raises TrustMissing, TrustExpired, TrustRefused, FetchFailed (what is missing then comes another time), OSError.
        """
        async with self._looking:
            try:
                async with asyncio.timeout(LOOK_S_MAX):
                    vendor = await self._find("vendor", target)
                    director = await self._find("director", target)
            except TimeoutError:
                raise FetchFailed("late") from None
        return agreed(target, node_id, vendor, director)

    async def _find(self, repository: RepositoryName, target: str) -> TargetFile | None:
        root = first_root(self._folder, repository)
        return await find(self._folder / repository, root, self._source, repository, target)


def agreed(target: str, node_id: str, vendor: TargetFile | None, director: TargetFile | None) -> Trusted:
    """What two repositories say of a target, where it is the same and for this node. Pure. Raises TrustRefused."""
    if director is None:
        raise TrustRefused(f"The control plane has not signed {target} for this node.")
    if vendor is None:
        raise TrustRefused(f"{target} does not exist, or was withdrawn.")
    custom = director.custom
    if not isinstance(custom, dict) or custom.get("node") != node_id:
        raise TrustRefused(f"The control plane has signed {target} for another node.")
    digest = vendor.hashes.get(_HASH)
    if digest is None or director.hashes.get(_HASH) != digest or vendor.length != director.length:
        raise TrustRefused(f"The two signatures of {target} are for different content.")
    return Trusted(target, digest, vendor.length)


def first_root(folder: Path, repository: RepositoryName) -> bytes:
    """The root that is trusted first. Raises TrustMissing."""
    try:
        return root_file(folder, repository).read_bytes()
    except FileNotFoundError:
        raise TrustMissing(f"There is no root of the {repository}'s repository.") from None


def newest_root(folder: Path, repository: RepositoryName) -> bytes | None:
    """The newest root that was seen, or the one that is trusted first; None: there is none."""
    for path in (folder / repository / "root.json", root_file(folder, repository)):
        if path.exists():
            return path.read_bytes()
    return None


def root_file(folder: Path, repository: RepositoryName) -> Path:
    """Where the root lies that is trusted first."""
    return folder / f"{repository}-root.json"


def keep_root(folder: Path, repository: RepositoryName, content: bytes) -> None:
    """Trust `content` first from now on; what was seen under another root is forgotten. Raises InvalidRoot, OSError."""
    read_root(content)
    path = root_file(folder, repository)
    if path.exists() and path.read_bytes() == content:
        return
    private_folder(folder)
    shutil.rmtree(folder / repository, ignore_errors=True)
    write_atomic(path, content)
