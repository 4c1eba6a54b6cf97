"""Where a site keeps its files. Nothing else composes these paths.

Apart from `edge.config`, which loads what reads settings: 12 MB that the courier has no use for.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.errors import CannotRead, ConfigError

# sockaddr_un holds 108 bytes with the closing zero on Linux; longer paths cannot be bound.
UNIX_PATH_BYTES_MAX = 107
LONGEST_SOCKET_NAME = "courier.sock"
ACCOUNT = (
    "Run it as root, or under the account of the service that has it: sudo -u postern-courier, postern-node."
)
"""What to do where this account may not read a file of a site."""


@dataclass(frozen=True)
class SitePaths:
    """Where a site keeps its files. Nothing else composes these paths."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "site.toml"

    @property
    def documents(self) -> Path:
        return self.root / "documents"

    @property
    def intent_examples(self) -> Path:
        """Labelled sentences that a template brought, for `postern intents train`."""
        return self.root / "intents.csv"

    @property
    def golden_questions(self) -> Path:
        """Questions with their right document, by which `postern learn` judges."""
        return self.root / "questions.jsonl"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def policy(self) -> Path:
        """What text may leave, signed by the site's own key."""
        return self.root / "policy.toml"

    @property
    def policies_used(self) -> Path:
        """Policies by which texts left; files `edge.privacy.policies_used`."""
        return self.root / "policies"

    @property
    def policy_key(self) -> Path:
        """Signs policies; may be kept elsewhere."""
        return self.keys / "policy.key"

    @property
    def policy_public_key(self) -> Path:
        return self.keys / "policy.pub"

    @property
    def recovery_key(self) -> Path:
        """Where the recovery key lies until somebody takes it away."""
        return self.root / "recovery-key"

    @property
    def claim_code(self) -> Path:
        """The first operator's claim code, as long as nobody has claimed the console."""
        return self.root / "claim-code"

    @property
    def store(self) -> Path:
        return self.root / "store" / "site.db"

    @property
    def subject_keys(self) -> Path:
        return self.root / "store" / "keys.db"

    @property
    def store_lock(self) -> Path:
        return self.root / "store" / "lock"

    @property
    def courier(self) -> Path:
        return self.root / "courier"

    @property
    def ledger(self) -> Path:
        """The record of what left."""
        return self.courier / "ledger.db"

    @property
    def ledger_lock(self) -> Path:
        """Held by whoever writes the ledger."""
        return self.courier / "ledger.lock"

    @property
    def ledger_key(self) -> Path:
        """Signs the ledger's checkpoints."""
        return self.courier / "ledger.key"

    @property
    def witness_memory(self) -> Path:
        """What the control plane's witness signed last."""
        return self.courier / "witness.json"

    @property
    def trusted_metadata(self) -> Path:
        """Whose updates are trusted, and what was seen of them."""
        return self.updates / "metadata"

    @property
    def slots(self) -> Path:
        """Postern's own software that came over the air, beside what is installed; see `edge.slots`."""
        return self.updates / "slots"

    @property
    def pushed_policies(self) -> Path:
        """Policies that came as updates: files `edge.privacy.pushed_policies`."""
        return self.updates / "policies"

    @property
    def packs(self) -> Path:
        """Packs of documents that came as updates, which the knowledge base was filled from."""
        return self.updates / "packs"

    @property
    def updates(self) -> Path:
        """What the control plane wants the node to run: metadata, what is being fetched, what is on trial."""
        return self.root / "updates"

    @cached_property
    def run(self) -> Path:
        """Folder of the Unix sockets; a short one under the temporary folder when the site's path is too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside / LONGEST_SOCKET_NAME)) <= UNIX_PATH_BYTES_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"postern-{os.getuid()}-{digest}"

    @property
    def admin_socket(self) -> Path:
        return self.run / "node.sock"

    @property
    def worker_socket(self) -> Path:
        return self.run / "worker.sock"

    @property
    def courier_socket(self) -> Path:
        return self.run / "courier.sock"


def site_paths(site: Path) -> SitePaths:
    """Paths of the site in folder `site`, made absolute."""
    return SitePaths(site.resolve())


class NoSite(ConfigError):
    """A folder that is no site."""

    code = "no_site"
    title = "There is no site there"


def settings_text(paths: SitePaths) -> str:
    """`site.toml` as it stands there: whatever works at a site looks for it first. Raises NoSite, CannotRead."""
    try:
        return paths.config.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise NoSite(
            f"There is no site at {paths.root}.",
            remedy=f"Name the folder of a site, or make one: postern init --site {paths.root}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CannotRead(f"{paths.config} cannot be read: {why}.", remedy=ACCOUNT) from None


def existing_site(site: Path) -> SitePaths:
    """As `site_paths`, of a site that is there and that this account may look at. Raises NoSite, CannotRead."""
    paths = site_paths(site)
    settings_text(paths)
    return paths
