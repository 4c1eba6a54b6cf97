"""What only a running node knows of how well it is: checks of `postern doctor` that ask it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from core.errors import PosternError
from edge.config import SitePaths
from edge.store.operators import Seal
from edge.web import admin
from edge.web.console.health import OVERFLOW_REMEDIES
from models.catalog import DEFAULT_ENCODER

Severity = Literal["error", "warning"]

# A node that is up answers within milliseconds; one that hangs must not hang the doctor.
ANSWER_S_MAX = 2.0
# A certificate is renewed with half its life to go; so little left means that nobody was reached for a long time.
CERTIFICATE_DAYS_MIN: Final = 14
CERTIFICATE_SHARE_MIN: Final = 0.25
DAY_S: Final = 86_400
TOLD: Final = "told while the node runs"
_SEALS = {
    Seal.NONE: "there is no break-glass account: if every operator is away or locked out, nobody gets in",
    Seal.WHOLE: "the break-glass account is sealed in two envelopes",
    Seal.BROKEN: "the break-glass account was used; its envelopes are void, or will be within its time",
    Seal.OLD: "the break-glass account has one password, from a release before; it opens nothing",
}


@dataclass(frozen=True)
class Check:
    """One finding. `ok` False with severity error means: do not go on like this."""

    id: str
    ok: bool
    severity: Severity
    found: str
    remedy: str = ""


async def running(socket: Path) -> dict[str, Any]:
    """The running node's status; empty where none answers."""
    with contextlib.suppress(PosternError, TimeoutError):
        async with asyncio.timeout(ANSWER_S_MAX):
            status = await admin.call(socket, "status", {}, lambda _: None)
            return status if isinstance(status, dict) else {}
    return {}


_UNCONFINED: Final = {
    "courier_shares_user": (
        "one user runs all processes: only the program, not the kernel, keeps the others from the network",
        "Install with firmware_scripts/install.sh; what postern run starts is for trying out.",
    ),
    "unconfined": (
        "the kernel's rules of who may send what are not in force, or nobody says so",
        "systemctl reload-or-restart postern-egress; systemctl restart postern-meter; where the node does not run: "
        "systemctl start postern-node. If it lasts, their journal.",
    ),
}


def detector(paths: SitePaths) -> Check:
    """Are names found? As far as the running node says; the detector is in its encoder."""
    told = asyncio.run(running(paths.admin_socket)).get("detector")
    if told and told["failing"]:
        found = "it failed when it was asked last: names were not recognised, and such a text does not leave"
        remedy = "See `tagger_failed`, `layers_missing` or `scan_unusable` in the node's log and in docs/operations.md."
        return Check("detector", False, "warning", found, remedy)
    if told is None or told["complete"]:
        found = "names are looked for in every text" if told else TOLD
        return Check("detector", True, "warning", found)
    found = "the encoder that serves has no detector of names: they are not recognised, and no text may leave"
    remedy = f"Use Postern's own where text is to leave: postern models use --site DIR {DEFAULT_ENCODER}"
    return Check("detector", False, "warning", found, remedy)


def clock(paths: SitePaths) -> Check:
    """Is the clock to be believed? As far as the running node has seen it leap."""
    told = asyncio.run(running(paths.admin_socket)).get("retention")
    if not told or not told["held_back_s"]:
        return Check("clock", True, "warning", "as fast as time passes" if told else TOLD)
    why = "it leapt ahead" if told["alarming"] else "the machine was off for more than a day"
    hours = -(-told["held_back_s"] // 3600)
    found = f"{why}: nothing is purged by age for {hours} more hours, so that the clock can be put right"
    remedy = "See `timedatectl`, and set the clock if it is wrong. If it is right there is nothing to do."
    return Check("clock", not told["alarming"], "warning", found, remedy)


def audit(paths: SitePaths) -> Check:
    """Is what people do written down, and are all rows there? As far as a running node says."""
    told = asyncio.run(running(paths.admin_socket)).get("fallbacks")
    if told is None:
        return Check("audit", True, "error", TOLD)
    reasons = [str(fallback) for fallback in told if str(fallback).startswith("audit")]
    remedy = "Look at the disk and the node's log; which rows are missing: postern audit verify."
    return Check(
        "audit", not reasons, "error", ", ".join(reasons) or "written, and no row is missing", remedy
    )


def confined(paths: SitePaths) -> Check:
    """Does the kernel keep everyone but the courier from the network? As far as a running node says."""
    told = asyncio.run(running(paths.admin_socket)).get("fallbacks")
    if told is None:
        return Check("egress", True, "warning", TOLD)
    reasons = [str(fallback).partition(":")[2] for fallback in told if str(fallback).startswith("egress:")]
    if not reasons:
        return Check("egress", True, "warning", "the kernel lets nobody but the courier out of the site")
    found, remedy = _UNCONFINED.get(reasons[0], _UNCONFINED["unconfined"])
    return Check("egress", False, "warning", f"{found} ({reasons[0]})", remedy)


def break_glass(paths: SitePaths) -> Check:
    """Can two people get in when nobody else can? As far as a running node says: who may log in is in its store."""
    told = asyncio.run(running(paths.admin_socket)).get("break_glass")
    if told is None:
        return Check("break_glass", True, "warning", TOLD)
    remedy = "Seal it, in two envelopes for two people: postern operators break-glass."
    return Check("break_glass", told == Seal.WHOLE, "warning", _SEALS[Seal(told)], remedy)


def certificate(paths: SitePaths) -> Check:
    """Will the control plane know this site tomorrow? It is renewed at half its life."""
    told = asyncio.run(running(paths.admin_socket)).get("sync")
    if told is None:
        return Check("certificate", True, "warning", TOLD)
    return certificate_of(told, time.time())


def certificate_of(told: Mapping[str, Any], now_s: float) -> Check:
    """See `certificate`. Pure."""
    expires_s = told.get("certificate_expires", 0)
    if not expires_s:
        return Check("certificate", True, "warning", "none: the site has not been enrolled")
    days, life_days = (
        (expires_s - now_s) / DAY_S,
        (expires_s - told.get("certificate_issued", 0)) / DAY_S,
    )
    if days >= min(CERTIFICATE_DAYS_MIN, life_days * CERTIFICATE_SHARE_MIN):
        return Check("certificate", True, "warning", f"good for {days:.0f} days; it is renewed by itself")
    found = f"it ends in {days:.0f} days" if days > 0 else f"it ended {-days:.0f} days ago"
    remedy = (
        "It is renewed when the control plane is reached: look at the link. Where that is well and this stays, enrol "
        "the site again: postern enroll."
    )
    return Check("certificate", False, "warning", f"{found}, and was not renewed", remedy)


def overflow(paths: SitePaths) -> Check:
    """Can the control plane's language model help, where the policy permits it?"""
    told = asyncio.run(running(paths.admin_socket)).get("overflow")
    if told is None:
        return Check("overflow", True, "warning", TOLD)
    if not told["offered"]:
        return Check(
            "overflow", True, "warning", "not used: the answers are quotes, or the policy lets no text go"
        )
    if told["ready"]:
        return Check("overflow", True, "warning", "the control plane writes where this site cannot in time")
    remedy = OVERFLOW_REMEDIES.get(told["reason"], "Look at the courier's log.")
    return Check("overflow", False, "warning", f"permitted, and no way is open ({told['reason']})", remedy)


def updates(paths: SitePaths) -> Check:
    """Do updates from the control plane come through?"""
    told = asyncio.run(running(paths.admin_socket)).get("updates")
    if told is None:
        return Check("updates", True, "warning", TOLD)
    stuck = [one for one in told if one["reason"] and one["tries"]]
    if not stuck:
        return Check("updates", True, "warning", f"{len(told)} under way" if told else "none under way")
    found = "; ".join(
        f"{one['kind']}/{one['name']} {one['version']} at {one['step']}: {one['reason']}" for one in stuck
    )
    remedy = (
        "It is tried again; what ran before still does. See `postern updates show` and docs/operations.md."
    )
    return Check("updates", False, "warning", found, remedy)
