"""What can go wrong with pseudonyms. No message holds a value, a token or any part of a text."""

from __future__ import annotations

from core.errors import PosternError


class CannotMask(PosternError):
    """A text cannot be masked, so nothing of it may leave."""

    code = "cannot_mask"
    title = "The text cannot be masked"
    remedy = "Nothing has left. Start a new conversation, or shorten the text."
    status = 413


class VaultDamaged(PosternError):
    """A conversation's stored pseudonyms are not what was stored."""

    code = "pseudonyms_damaged"
    title = "The pseudonyms of this conversation cannot be read"
    remedy = (
        "Nothing has left. Start a new conversation; if it comes back, run `postern doctor` for this site."
    )
