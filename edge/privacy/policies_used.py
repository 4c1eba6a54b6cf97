"""Policies by which texts left, kept as files under the hash that the egress ledger names them by.

So that an auditor can read years later what was in force. A policy says nothing of anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from core.files import private_folder, write_atomic
from core.signing import canonical_json
from edge.privacy.policy import Policy


class PoliciesUsed:
    """A file for each set of policies that was ever in force for a text."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: tuple[tuple[Policy, ...], bytes] = ((), b"")
        # The first texts under a policy come at once, each in a thread of its own.
        self._noting = Lock()

    def noted(self, policies: Sequence[Policy]) -> bytes | None:
        """As `note`, where the last text was under the same set: then there is nothing to write, or to wait for."""
        known, digest = self._known
        return digest if known and known == tuple(policies) else None

    def note(self, policies: Sequence[Policy]) -> bytes:
        """SHA-256 of the file with all of them, which is on the disk from now on. Blocking, for a set that is new.

        Raises OSError.
        """
        with self._noting:
            return self._note(tuple(policies))

    def _note(self, wanted: tuple[Policy, ...]) -> bytes:
        known, digest = self._known
        if wanted == known:
            return digest
        document = canonical_json({"policies": [policy.model_dump(mode="json") for policy in wanted]})
        digest = hashlib.sha256(document).digest()
        path = self._folder / f"{digest.hex()}.json"
        if not path.exists():
            private_folder(self._folder)
            write_atomic(path, document)
        self._known = (wanted, digest)
        return digest
