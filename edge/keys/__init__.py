"""The site's own keys: a root key opens the site key, the site key opens what the store's files are encrypted with.

`SiteKeys.open` is the way in. The root key lies in the machine's TPM, or in a file where there is none; it is
there encrypted to the recovery key, too, which people keep away from the machine. Each change is one step (`changes`).
"""

from __future__ import annotations

from edge.keys.custody import recover, reseal
from edge.keys.errors import KeysUnusable, RecoveryKeyWrong
from edge.keys.site_keys import SiteKeys
from edge.keys.tpm import TpmUnusable

__all__ = ["KeysUnusable", "RecoveryKeyWrong", "SiteKeys", "TpmUnusable", "recover", "reseal"]
