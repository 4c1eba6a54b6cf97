"""What can be wrong with backing up and restoring a site, beside the file (`core.archives`).

No error says more of a file than its place.
"""

from __future__ import annotations

from core.errors import PosternError


class RestoreFailed(PosternError):
    """A restore could not be carried out. The site is as it was."""

    code = "restore_failed"
    title = "The site was not restored; it is as it was"
    remedy = "See that there is room beside the site's folder and that this user may write there; then run it again."
