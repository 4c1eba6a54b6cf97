"""What can be wrong with backing up and restoring. No error says more of a file than its place."""

from __future__ import annotations

from core.errors import ExitCode, PosternError


class BackupFailed(PosternError):
    """A backup could not be made; there is no half one."""

    code = "backup_failed"
    title = "The backup was not made"
    remedy = "See that the disk is there and has room, and that the node may write to that folder; then run it again."


class BackupExists(PosternError):
    """There is a file already where the backup is to go."""

    code = "backup_exists"
    title = "There is a file of this name already"
    remedy = "Choose another name, or put the new one in its place with --replace."
    status = 409
    exit_code = ExitCode.USAGE


class BackupUnusable(PosternError):
    """A file is no backup of ours, or not whole, or of another release. Nothing was changed."""

    code = "backup_unusable"
    title = "This file cannot be restored from"
    remedy = "Take another copy of the backup; nothing was changed at the site."
    status = 422


class RestoreRefused(PosternError):
    """A restore would take something away that nobody said may go. Nothing was changed."""

    code = "restore_refused"
    title = "Nothing was restored"
    remedy = "Choose an empty folder."
    status = 409
    exit_code = ExitCode.REFUSED


class RestoreFailed(PosternError):
    """A restore could not be carried out. The site is as it was."""

    code = "restore_failed"
    title = "The site was not restored; it is as it was"
    remedy = "See that there is room beside the site's folder and that this user may write there; then run it again."
