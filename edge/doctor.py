"""`postern doctor`: is this machine and this site fit to serve? Each finding comes with what to do.

Looks at files and versions; it starts nothing and needs no running node. One that runs is asked where its encoder is:
a device that was lost on the way is in no file.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlcipher3

from core.errors import CannotRead, ConfigError, PosternError
from core.memory import SWAP_REMEDY, Swap, swap
from edge import siblings_check
from edge.chat import heads
from edge.config import ModelsSection, SitePaths, load_config
from edge.doctor_running import (
    ANSWER_S_MAX,
    TOLD,
    Check,
    audit,
    break_glass,
    certificate,
    clock,
    confined,
    detector,
    overflow,
    running,
    updates,
)
from edge.egress.ledger import NoLedger, reading
from edge.fabric.notifier import carriers_of
from edge.keys import NODES_ALONE, SiteKeys, recovery, root
from edge.placed import told_shortfall
from edge.privacy import policy_files
from edge.privacy.backup import switching
from edge.store.integrity import damage
from edge.store.safe_sqlite import refuse_unsafe_sqlite
from models.catalog import encoder_entry, models_dir
from models.encoder import plan_encoder
from models.errors import DeviceMissing
from models.operations import verify as verify_models
from models.placement import BY_HAND, Plan
from models.probe import check_onnx_provider, this_hardware
from models.servable import Setback, first_servable

# A model update needs room for a second copy of the models beside the store's growth.
DISK_FREE_BYTES_MIN = 2 * 10**9
# Long enough to have a data-protection officer look at it.
POLICY_LEFT_MIN = timedelta(days=30)
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True)
class Diagnosis:
    """All findings; `ok` when no error is among them."""

    ok: bool
    checks: tuple[Check, ...]


def examine(paths: SitePaths) -> Diagnosis:
    """Run every check; a check that itself fails is a finding. Where there is no site, only the machine's."""
    rest = (
        _root_key,
        _memory,
        clock,
        _disk,
        _backup,
        _staff,
        _device,
        _placement,
        _fitted,
        detector,
        certificate,
        overflow,
        updates,
        confined,
        audit,
        break_glass,
        _siblings,
    )
    of_the_site = (*STORED, *rest) if paths.config.exists() else ()
    checks = tuple(
        _safely(check, paths) for check in (_settings, _sqlite, _runtimes, _accelerator, *of_the_site)
    )
    checks += tuple(_models())
    return Diagnosis(all(check.ok or check.severity == "warning" for check in checks), checks)


def _safely(check: Callable[[SitePaths], Check], paths: SitePaths) -> Check:
    name = check.__name__.strip("_")
    try:
        return check(paths)
    except PosternError as error:
        return Check(name, False, "error", error.detail, error.remedy)
    except OSError as error:
        found = f"{error.filename}: {error.strerror}"
        return Check(name, False, "error", found, "Mend the file, or restore it from the backup.")


def _settings(paths: SitePaths) -> Check:
    proxy = load_config(paths).egress.proxy
    for name, file in (("ca_file", proxy.ca_file), ("password_file", proxy.password_file)):
        # Whether it is there: what it says is for the courier's account, which this need not be.
        if file is not None and not _is_there(file):
            raise ConfigError(
                f"egress.proxy.{name}: {file} is not there; the courier does not start without it."
            )
    return Check("settings", True, "error", f"{paths.config} is valid")


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except PermissionError:
        return True  # as far as this account can tell


def _sqlite(_: SitePaths) -> Check:
    refuse_unsafe_sqlite()
    return Check("sqlite", True, "error", f"SQLite {sqlcipher3.sqlite_version}")


def _runtimes(_: SitePaths) -> Check:
    """Both ONNX Runtime packages share one module: side by side the CUDA provider vanishes without a word."""
    found = [name for name in _RUNTIMES if _installed(name)]
    remedy = "Uninstall both, then install one: onnxruntime-gpu on Linux x86-64, else onnxruntime."
    return Check("onnxruntime", len(found) == 1, "error", " and ".join(found) or "none", remedy)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _keys(paths: SitePaths) -> Check:
    private = [path for path in paths.keys.iterdir() if path.suffix != ".pub"]
    private += [paths.recovery_key] if paths.recovery_key.exists() else []
    for path in private:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o007:
            return Check("keys", False, "error", f"{path} can be read by everybody", f"chmod o= {path}")
        if mode & 0o070 and path.name in {*NODES_ALONE, paths.recovery_key.name}:
            return Check("keys", False, "error", f"{path} is the node's alone", f"chmod go= {path}")
    return Check("keys", True, "error", f"{len(private)} files of keys, closed to others")


def _recovery(paths: SitePaths) -> Check:
    """Can the site's keys be brought back on another machine, and by the right people only?"""
    to = recovery.recipient(paths)
    if not (paths.keys / recovery.ROOT).exists():
        found = f"keys/{recovery.ROOT} is missing: the recovery key would bring nothing back"
        return Check("recovery", False, "error", found, "Make it anew: postern keys rotate")
    if paths.recovery_key.exists():
        recovery.identity(
            paths.recovery_key.read_text(encoding="ascii", errors="replace").removesuffix("\n"), to
        )
        found = f"{paths.recovery_key} still lies here: whoever takes the disk has it too"
        remedy = "Print it, or keep it on a stick in a safe, and remove the file."
        return Check("recovery", False, "warning", found, remedy)
    return Check("recovery", True, "warning", "the recovery key is away from this machine")


def _store(paths: SitePaths) -> Check:
    """Is every page of the store as it was written, and is nothing missing?"""
    found = damage(paths, SiteKeys.look(paths))
    remedy = "Look at the disk (smartctl, the system's log); restore the newest backup: postern restore."
    return Check("store", not found, "error", "; ".join(found) or "every page is as it was written", remedy)


def _root_key(paths: SitePaths) -> Check:
    """Is a copy of the site's folder, or its disk, of use elsewhere?"""
    why = root.shortfall(paths, root.tpm_of(paths))
    if not why:
        return Check("root_key", True, "warning", "sealed to this machine's TPM")
    remedy = {
        root.NO_TPM: "Encrypt the machine's disk; or switch the TPM on in its firmware, and: postern keys seal",
        root.NOT_SEALED: "Move it into the TPM that this machine has: postern keys seal",
    }[why]
    return Check("root_key", False, "warning", f"in a file ({why}): whoever copies the folder has it", remedy)


def _policy(paths: SitePaths) -> Check:
    """Does the site have a policy, signed, and for how long? Without one no text is handed on."""
    try:
        signed = policy_files.load(paths, datetime.now(UTC))
    except policy_files.PolicyMissing as error:  # a choice that a site may make
        return Check("policy", False, "warning", f"{error.detail} No text is handed on.", error.remedy)
    last_day = signed.policy.valid_until
    left = last_day - datetime.now().astimezone().date()
    remedy = (
        "Have it looked at, set valid_until to a day to come, and sign: postern privacy policy sign FILE."
    )
    if left < timedelta(0):
        return Check(
            "policy", False, "error", f"It was valid until {last_day}; no text is handed on.", remedy
        )
    found = f"“{signed.policy.name}”, signed, valid until {last_day}"
    return Check("policy", left >= POLICY_LEFT_MIN, "warning", found, remedy)


def _memory(paths: SitePaths) -> Check:
    """Can what customers said reach a swap device? A running node knows what keeps it from there."""
    if (found := swap()) is Swap.NONE:
        return Check("memory", True, "warning", "this machine does not swap")
    fallbacks = asyncio.run(running(paths.admin_socket)).get("fallbacks")
    if fallbacks is None:
        kept, words = (
            found is Swap.FORBIDDEN,
            "this machine swaps; no node runs that could be asked",
        )
    else:
        kept = not any(str(fallback).startswith("memory:") for fallback in fallbacks)
        words = "kept out of swap" if kept else "the node's memory can be swapped to disk"
    return Check("memory", kept, "warning", words, SWAP_REMEDY)


def _disk(paths: SitePaths) -> Check:
    free = shutil.disk_usage(paths.root).free
    remedy = "Free some space, or move the site to a larger disk."
    return Check("disk", free >= DISK_FREE_BYTES_MIN, "warning", f"{free / 1e9:.1f} GB free", remedy)


def _backup(paths: SitePaths) -> Check:
    """Is there a backup, and is it new enough? And did a restore end before it had tidied up?"""
    left = switching.beside(paths.root)
    if left.exists():
        found = f"a restore was interrupted: {left} holds the old site or half of a new one"
        return Check("backup", False, "warning", found, f"Restore again, or remove it: rm -r {left}")
    told = asyncio.run(running(paths.admin_socket)).get("backup")
    if told is None:
        return Check("backup", True, "warning", TOLD)
    days_max = load_config(paths).backup.warn_after_days
    remedy = f"Make one: postern backup --site {paths.root} FILE"
    if told["newest_ms"] is None:
        return Check("backup", False, "warning", "none was ever made", remedy)
    age = datetime.now(UTC) - datetime.fromtimestamp(told["newest_ms"] / 1000, UTC)
    found = f"the newest is {max(0, age.days)} days old: {told['file']}"
    return Check("backup", age <= timedelta(days=days_max), "warning", found, remedy)


def _ledger(paths: SitePaths) -> Check:
    try:
        path = reading.found(paths)
    except NoLedger as none:
        return Check("ledger", True, "error", none.detail)
    except CannotRead as error:
        return Check("ledger", False, "warning", error.detail, error.remedy)
    report = reading.verify(path)
    problem = report.problem or reading.unlike_witnessed(paths)
    remedy = "Keep the courier's folder as it is and tell the data-protection officer."
    return Check("ledger", not problem, "error", problem or f"{report.leaves} leaves, whole", remedy)


def _staff(paths: SitePaths) -> Check:
    """Does anybody learn that a customer waits? What the settings name must be readable."""
    ways = sorted(carriers_of(load_config(paths)))
    remedy = "Set handoff.smtp or handoff.webhook, or see to it that somebody looks at the inbox."
    found = (
        f"staff are told by {' and '.join(ways)}"
        if ways
        else "nobody is told of tickets; they wait in the inbox"
    )
    return Check("staff", bool(ways), "warning", found, remedy)


def _device(paths: SitePaths) -> Check:
    """Does the encoder run where the settings ask for, as far as a running node says, or files without one?"""
    wanted = load_config(paths).models
    plan = _plan(wanted)
    lost, serving = plan.shortfall, f"{plan.candidate.runtime} on {plan.candidate.device}"
    if lost is None and (encoder := asyncio.run(running(paths.admin_socket)).get("encoder")):
        lost, serving = told_shortfall(encoder), f"{encoder['runtime']} on {encoder['device']}"
    if lost is not None:
        found = f"{lost.wanted} is asked for, {serving} serves: {lost} ({lost.reason})"
        return Check("device", False, "warning" if lost.reason == "starting" else "error", found, lost.remedy)
    return Check("device", True, "error", f"the encoder runs with {serving}")


def _placement(paths: SitePaths) -> Check:
    stale = _plan(load_config(paths).models).stale
    found = f"{stale}; the encoder runs unmeasured" if stale else "measured on this machine as it is"
    return Check("placement", stale in {"", BY_HAND}, "warning", found, "Run `postern models tune`.")


def _fitted(paths: SitePaths) -> Check:
    """What Postern fitted on its own encoder does not serve beside another one."""
    name = load_config(paths).models.encoder
    found = f"{name}: answers, order of passages and danger by their words alone, as no small model was fitted on it"
    if heads.fit(name):
        return Check("fitted_models", True, "warning", f"fitted on {name}")
    return Check("fitted_models", False, "warning", found, heads.REMEDY)


def _siblings(paths: SitePaths) -> Check:
    """Do conversations go on at the site's other nodes when this one dies?"""
    found = asyncio.run(siblings_check.look(paths, load_config(paths), ANSWER_S_MAX))
    return Check("siblings", found.ok, "warning", found.words, found.remedy)


def _plan(wanted: ModelsSection) -> Plan:
    def plan_in(folder: Path, _: Setback | None) -> Plan:
        entry = encoder_entry(wanted.encoder, version=folder)
        return plan_encoder(folder, entry, wanted.runtime, wanted.encoder_threads, wanted.device)

    return first_servable(models_dir(), wanted.encoder, plan_in)


def _accelerator(_: SitePaths) -> Check:
    """An NVIDIA GPU that is there and cannot be used, whether it was asked for or not."""
    hardware = this_hardware()
    if not hardware.nvidia_driver:
        return Check("accelerator", True, "warning", "no NVIDIA GPU")
    try:
        check_onnx_provider("CUDA", hardware)
    except DeviceMissing as error:
        return Check("accelerator", False, "warning", error.detail, error.remedy)
    return Check("accelerator", True, "warning", f"{', '.join(hardware.nvidia_gpus)} can be used")


def _models() -> Iterator[Check]:
    for row in verify_models(models_dir()):
        yield Check(f"model.{row.model}", row.ok, "error", row.detail, row.remedy)


STORED: Final = (_keys, _recovery, _store, _policy, _ledger)
"""Whether what the site keeps is as it was written."""
