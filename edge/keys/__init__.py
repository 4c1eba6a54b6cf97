"""The site's own keys: a root key opens the site key, the site key opens what the store's files are encrypted with.

`SiteKeys.open` is the way in. The root key lies in the machine's TPM, or in a file where there is none; it is
there encrypted to the recovery key, too, which people keep away from the machine. Each change is one step (`changes`).
"""

from __future__ import annotations

from typing import Final

from edge.keys import recovery, root, siblings, wrapping
from edge.keys.custody import recover, reseal
from edge.keys.errors import KeysUnusable, RecoveryKeyWrong
from edge.keys.site_keys import SiteKeys
from edge.keys.tpm import TpmUnusable

NODES_ALONE: Final = (root.FILE, root.SEALED, recovery.ROOT, wrapping.NAME, siblings.NAME)
"""Files of keys/ that no group may read; others of the folder are shared, as the courier's."""

__all__ = ["NODES_ALONE", "KeysUnusable", "RecoveryKeyWrong", "SiteKeys", "TpmUnusable", "recover", "reseal"]
