"""The doctor's word on staff: told, not told, or named wrongly."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edge import doctor, doctor_running
from edge.config import SitePaths, site_paths
from edge.inference.loss import Reason, told
from edge.site_setup import create_site
from edge.web import admin
from models.placement import Plan, Shortfall, default_candidate

MAIL = '\n[handoff.smtp]\nhost = "127.0.0.1"\nsecurity = "none"\nrecipients = ["desk@site"]\n'
HOOK = '\n[handoff.webhook]\nurl = "http://127.0.0.1:9/"\nsecret_file = "{}"\n'


@pytest.mark.parametrize(
    ("more", "ok", "severity", "found"),
    [
        ("", False, "warning", "nobody is told"),
        (MAIL, True, "warning", "told by mail"),
        (HOOK.format("/nowhere"), False, "error", "secret_file"),
    ],
)
def test_does_anybody_learn_that_a_customer_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, ok: bool, severity: str, found: str
) -> None:
    monkeypatch.setattr(doctor, "verify_models", lambda _: [])
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    paths.config.write_text(paths.config.read_text() + more)
    (check,) = [check for check in doctor.examine(paths).checks if check.id == "staff"]
    assert (check.ok, check.severity) == (ok, severity)
    assert found in check.found


@pytest.mark.parametrize("name", ["ca_file", "password_file"])
def test_a_file_of_the_proxys_that_is_not_there_is_found_before_the_courier_dies_of_it(
    tmp_path: Path, name: str
) -> None:
    paths = site_paths(tmp_path)
    more = "username = 'me'\n" if name == "password_file" else ""
    site = "[site]\nid = 'a'\nname = 'A'\n"
    paths.config.write_text(
        f"{site}[egress.proxy]\nurl = 'https://proxy:1'\n{more}{name} = '{tmp_path}/none'\n"
    )
    check = doctor._safely(doctor._settings, paths)
    assert (check.ok, f"egress.proxy.{name}" in check.found) == (False, True)
    (tmp_path / "none").touch()
    assert doctor._safely(doctor._settings, paths).ok


def test_without_a_site_only_that_is_said_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "verify_models", lambda _: [])
    found = doctor.examine(site_paths(tmp_path / "site"))
    assert [check.id for check in found.checks if not check.ok] == ["settings"]
    assert {"keys", "disk", "ledger", "staff", "device"}.isdisjoint(check.id for check in found.checks)


@pytest.mark.parametrize(
    ("shortfall", "stale", "device_ok", "placement_ok"),
    [
        (None, "", True, True),
        (None, "a driver has changed", True, False),
        (Shortfall("cuda", "no_nvidia_driver", "There is no driver.", "Install it."), "", False, True),
    ],
)
def test_a_device_that_is_asked_for_and_not_there_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shortfall: Shortfall | None,
    stale: str,
    device_ok: bool,
    placement_ok: bool,
) -> None:
    monkeypatch.setattr(doctor, "verify_models", lambda _: [])
    plan = Plan(default_candidate("onnxruntime", 2), shortfall, stale)
    monkeypatch.setattr(doctor, "plan_encoder", lambda *_: plan)
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    found = doctor.examine(paths)
    checks = {check.id: check for check in found.checks}
    assert (checks["device"].ok, checks["placement"].ok) == (device_ok, placement_ok)
    assert (checks["device"].severity, checks["placement"].severity) == ("error", "warning")
    assert found.ok is device_ok
    if shortfall is not None:
        assert "no_nvidia_driver" in checks["device"].found
        assert checks["device"].remedy == "Install it."


@pytest.mark.parametrize(("reason", "severity"), [("hang", "error"), ("starting", "warning")])
def test_a_running_node_says_what_was_lost_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason, severity: str
) -> None:
    lost = told(reason, "CUDA", "CPU", 3.0)

    async def status(*_: object) -> object:
        return {"encoder": {"runtime": "openvino", "device": "CPU", "fallback": asdict(lost)}}

    monkeypatch.setattr(doctor, "verify_models", lambda _: [])
    monkeypatch.setattr(doctor, "plan_encoder", lambda *_: Plan(default_candidate("onnxruntime", 2)))
    monkeypatch.setattr(admin, "call", status)
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    found = doctor.examine(paths)
    (check,) = [each for each in found.checks if each.id == "device"]
    assert (check.ok, check.severity, check.remedy) == (False, severity, lost.remedy)
    assert lost.detail in check.found
    assert found.ok is (severity == "warning")


@pytest.mark.parametrize(
    ("told_by_node", "ok", "found"),
    [
        ({}, True, "while the node runs"),
        ({"detector": {"complete": True, "failing": False}}, True, "in every text"),
        ({"detector": {"complete": True, "failing": True}}, False, "failed when it was asked last"),
        ({"detector": {"complete": False, "failing": False}}, False, "has no detector of names"),
    ],
)
def test_are_names_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by_node: dict[str, object], ok: bool, found: str
) -> None:
    async def running(_: Path) -> dict[str, object]:
        return told_by_node

    monkeypatch.setattr(doctor_running, "running", running)
    check = doctor_running.detector(site_paths(tmp_path))
    assert (check.ok, found in check.found) == (ok, True)


@pytest.mark.parametrize(
    ("told_by_node", "ok", "found"),
    [
        ({}, True, "while the node runs"),
        ({"overflow": {"offered": False, "ready": False, "reason": "not_offered"}}, True, "not used"),
        ({"overflow": {"offered": True, "ready": True, "reason": ""}}, True, "where this site cannot"),
        ({"overflow": {"offered": True, "ready": False, "reason": "not_enrolled"}}, False, "(not_enrolled)"),
        ({"overflow": {"offered": True, "ready": False, "reason": "of_tomorrow"}}, False, "(of_tomorrow)"),
    ],
)
def test_can_the_control_plane_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by_node: dict[str, object], ok: bool, found: str
) -> None:
    async def running(_: Path) -> dict[str, object]:
        return told_by_node

    monkeypatch.setattr(doctor_running, "running", running)
    check = doctor_running.overflow(site_paths(tmp_path))
    assert (check.ok, found in check.found, bool(check.remedy)) == (ok, True, not ok)


@pytest.mark.parametrize(
    ("told_by_node", "ok", "found"),
    [
        ({}, True, "while the node runs"),
        ({"retention": {"held_back_s": 0, "alarming": False}}, True, "as fast as time passes"),
        ({"retention": {"held_back_s": 3600, "alarming": False}}, True, "was off for more than a day"),
        ({"retention": {"held_back_s": 3601, "alarming": True}}, False, "for 2 more hours"),
    ],
)
def test_is_the_clock_to_be_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by_node: dict[str, object], ok: bool, found: str
) -> None:
    async def running(_: Path) -> dict[str, object]:
        return told_by_node

    monkeypatch.setattr(doctor_running, "running", running)
    check = doctor_running.clock(site_paths(tmp_path))
    assert (check.ok, found in check.found) == (ok, True)


def keys_of(paths: SitePaths) -> dict[str, doctor.Check]:
    checks = [doctor._safely(check, paths) for check in (doctor._keys, doctor._root_key, doctor._recovery)]
    return {check.id: check for check in checks}


def test_are_the_keys_safe_and_can_they_be_brought_back(tmp_path: Path) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    paths.config.write_text(paths.config.read_text() + '\n[keys]\ntpm_tcti = "none"\n')
    found = keys_of(paths)
    assert found["keys"].ok
    assert (found["recovery"].ok, found["recovery"].severity) == (False, "warning")
    assert str(paths.recovery_key) in found["recovery"].found
    assert (found["root_key"].ok, found["root_key"].severity) == (False, "warning")
    assert "no_tpm" in found["root_key"].found
    paths.recovery_key.unlink()
    assert keys_of(paths)["recovery"].ok
    (paths.keys / "root.key").chmod(0o604)
    assert "root.key" in keys_of(paths)["keys"].found
    (paths.keys / "root.key").chmod(0o600)
    (paths.keys / "envelope.key").chmod(0o640)  # the courier reads it, too
    assert keys_of(paths)["keys"].ok
    (paths.keys / "site.key").chmod(0o640)
    assert "site.key" in keys_of(paths)["keys"].found


@pytest.mark.parametrize(("name", "remedy"), [("root.recovery", "rotate"), ("recovery.pub", "recover")])
def test_a_recovery_that_would_fail_is_an_error(tmp_path: Path, name: str, remedy: str) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    (paths.keys / name).unlink()
    check = keys_of(paths)["recovery"]
    assert (check.ok, check.severity) == (False, "error")
    assert name in check.found
    assert remedy in check.remedy


def test_a_tpm_that_is_not_used_is_said(tmp_path: Path) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    paths.config.write_text(paths.config.read_text() + '\n[keys]\ntpm_tcti = "swtpm:path=/nowhere"\n')
    check = keys_of(paths)["root_key"]
    assert "not_sealed" in check.found
    assert "keys seal" in check.remedy
    (paths.keys / "root.key").rename(paths.keys / "root.tpm")
    assert keys_of(paths)["root_key"].ok


@pytest.mark.parametrize(
    ("age_days", "ok", "found"),
    [
        (None, False, "none was ever made"),
        (2.99, True, "2 days old: /vault/monday.age"),
        (3.01, False, "3 days old: /vault/monday.age"),
    ],
)
def test_is_there_a_backup_that_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_days: float | None, ok: bool, found: str
) -> None:
    made_ms = None if age_days is None else (time.time() - age_days * 86_400) * 1000

    async def told(_: object) -> dict[str, Any]:
        return {"backup": {"newest_ms": made_ms, "file": "/vault/monday.age"}}

    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    paths.config.write_text(paths.config.read_text() + "\n[backup]\nwarn_after_days = 3\n")
    monkeypatch.setattr(doctor, "running", told)
    check = doctor._backup(paths)
    assert (check.ok, check.severity) == (ok, "warning")
    assert found in check.found


def test_without_a_node_nothing_is_known_of_backups(tmp_path: Path) -> None:
    assert doctor._backup(site_paths(tmp_path / "site")).found == "told while the node runs"


def test_a_restore_that_did_not_tidy_up_is_told(tmp_path: Path) -> None:
    (tmp_path / ".site.restoring").mkdir()
    check = doctor._backup(site_paths(tmp_path / "site"))
    assert not check.ok
    assert "restore was interrupted" in check.found


DAY = 86_400


@pytest.mark.parametrize(
    ("issued_days_ago", "life_days", "ok", "found"),
    [
        (0, 365, True, "good for 365 days"),
        (351, 365, True, "good for 14 days"),
        (352, 365, False, "it ends in 13 days"),
        (366, 365, False, "it ended 1 days ago"),
        (3, 4, True, "good for 1 days"),
        (3.1, 4, False, "it ends in 1 days"),
    ],
)
def test_a_certificate_that_is_not_renewed(
    issued_days_ago: float, life_days: float, ok: bool, found: str
) -> None:
    now_s = 1_800_000_000.0
    issued_s = now_s - issued_days_ago * DAY
    told = {"certificate_issued": issued_s, "certificate_expires": issued_s + life_days * DAY}
    check = doctor_running.certificate_of(told, now_s)
    assert (check.ok, check.severity) == (ok, "warning")
    assert check.found.startswith(found)


def test_a_site_on_its_own_needs_no_certificate() -> None:
    assert doctor_running.certificate_of({"certificate_expires": 0}, 0.0).ok
