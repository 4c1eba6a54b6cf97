"""What can be wrong with the ledger."""

from __future__ import annotations

from core.errors import ExitCode, PosternError


class LedgerBroken(PosternError):
    """The ledger is not as it was written."""

    code = "ledger_broken"
    title = "The egress ledger has been altered, damaged or taken away"
    remedy = (
        "Nothing leaves until this is settled. Copy the courier's folder for whoever audits the site, find out who or "
        "what changed it, then stop the courier and let another ledger begin: postern ledger anew."
    )
    exit_code = ExitCode.CHECK_FAILED


class NoLedger(PosternError):
    """There is none, and none is missed."""

    code = "no_ledger"
    title = "There is no record of what left here yet"
    remedy = "Start the site: its courier begins one."
    exit_code = ExitCode.USAGE


class LedgerInUse(PosternError):
    """Another process writes this ledger."""

    code = "ledger_in_use"
    title = "Another courier of this site is running"
    remedy = "Stop the other courier first, or let it do the work."


class LedgerFailed(PosternError):
    """A leaf could not be made durable, so what it announces may not be sent."""

    code = "ledger_failed"
    title = "The egress ledger cannot be written"
    remedy = (
        "Look for a full or failing disk under the site's folder; nothing leaves until leaves can be written."
    )


class WitnessRefused(LedgerFailed):
    """A witness remembers another ledger than this one."""

    code = "witness_refused"
    title = "A witness does not sign the egress ledger"
    remedy = (
        "Nothing leaves until this is settled. Keep the courier's folder for whoever audits the site, find out who or "
        "what put an older ledger in its place, then let another one begin: postern ledger anew."
    )
