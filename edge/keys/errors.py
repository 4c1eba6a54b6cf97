"""What can be wrong with the site's keys. No error carries a key."""

from __future__ import annotations

from core.errors import PosternError


class KeysUnusable(PosternError):
    """The site's keys do not open the store: a file is missing, damaged, or another site's."""

    code = "keys_unusable"
    title = "The site's keys cannot be used"
    remedy = "Put the folder keys/ back from your backup, or bring the root key back: postern keys recover."
    status = 503
    # Nothing changes by itself; whoever waits for a technician asks again by the minute.
    retry_after_s = 60


class RecoveryKeyWrong(KeysUnusable):
    """What was given is no recovery key, or another site's."""

    code = "recovery_key_wrong"
    title = "This recovery key does not open the site's root key"
    remedy = "Type it as it was printed, from AGE-SECRET-KEY-1 to its end; a key that was replaced opens nothing new."
    status = 422
