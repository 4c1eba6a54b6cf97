"""The installer stages the same files twice, promises before it acts, and its units pass systemd's own check."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "firmware_scripts"
INSTALL = SCRIPTS / "install.sh"
UNITS = ("postern-node.service", "postern-worker.service", "postern-courier.service")
ROOTS = ("postern-egress.service", "postern-meter.service")
STEP_S_MAX = 30

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def install(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        ["bash", str(INSTALL), *arguments], capture_output=True, text=True, timeout=STEP_S_MAX, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def staged(folder: Path) -> tuple[Path, Path]:
    """A staging root, and a prefix whose programs exist, so that units can be checked."""
    program = folder / "opt" / "venv" / "bin" / "postern"
    program.parent.mkdir(parents=True)
    for path in (program, program.with_name("python"), folder / "opt/postern-egress.sh"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    root = folder / "root"
    install("--root", str(root), "--prefix", str(folder / "opt"))
    return root, folder / "opt"


def content(root: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below, with its hash, mode and time of change."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in root.rglob("*")
        if path.is_file()
    }


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SCRIPTS / "units" / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_script_is_well_formed() -> None:
    subprocess.run(["bash", "-n", str(INSTALL)], check=True, timeout=STEP_S_MAX)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    root, prefix = staged(tmp_path)
    before = content(root)
    assert "write:" not in install("--root", str(root), "--prefix", str(prefix))
    assert content(root) == before
    assert {f"usr/lib/systemd/system/{unit}" for unit in (*UNITS, *ROOTS)} <= before.keys()


def test_a_changed_file_is_put_right(tmp_path: Path) -> None:
    root, prefix = staged(tmp_path)
    unit = root / "usr/lib/systemd/system" / UNITS[0]
    good = unit.read_text()
    unit.write_text(good.replace("NoNewPrivileges=yes", "NoNewPrivileges=no"))
    install("--root", str(root), "--prefix", str(prefix))
    assert unit.read_text() == good


def test_uninstall_keeps_the_site(tmp_path: Path) -> None:
    root, prefix = staged(tmp_path)
    site = root / "var/lib/postern/site/site.toml"
    site.parent.mkdir(parents=True)
    site.write_text("[site]\n")
    places = ("--root", str(root), "--prefix", str(prefix))
    install(*places, "--appliance", "--proxy", "10.0.0.5:3128")
    password = root / "etc/postern/proxy-password"
    password.write_text("of the site's own\n")
    install(*places, "--uninstall")
    assert set(content(root)) == {"var/lib/postern/site/site.toml", "etc/postern/proxy-password"}


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    said = install("--root", str(tmp_path / "root"), "--dry-run")
    assert "would run: install" in said
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--prefix"]])
def test_wrong_usage_is_said(arguments: list[str]) -> None:
    said = install(*arguments, code=2 if arguments == ["--nonsense"] else 1)
    assert "--prefix" in said


@pytest.mark.needs_systemd
@needs_systemd
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    root, _ = staged(tmp_path)
    units = [str(root / "usr/lib/systemd/system" / unit) for unit in (*UNITS, *ROOTS)]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=STEP_S_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "postern" not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_every_process_is_kept_small(unit: str) -> None:
    found = settings(unit)
    name = unit.removesuffix(".service")
    assert found["User"] == [name]
    for key, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "LimitCORE": "0",
        "MemorySwapMax": "0",
    }.items():
        assert found[key] == [value], key


@pytest.mark.parametrize("unit", ROOTS)
def test_what_runs_as_root_may_change_rules_and_no_more(unit: str) -> None:
    found = settings(unit)
    assert "User" not in found
    for key, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "CAP_NET_ADMIN",
        "AmbientCapabilities": "",
        "RestrictAddressFamilies": "AF_UNIX AF_NETLINK",
    }.items():
        assert found[key] == [value], key


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_starts_before_the_rules_are_in_force(unit: str) -> None:
    found = settings(unit)
    assert ROOTS[0] in " ".join(found["Requires"]).split()
    assert ROOTS[0] in " ".join(found["After"]).split()


def test_rules_are_loaded_after_those_of_the_distribution_which_flush_all() -> None:
    found = settings(ROOTS[0])
    assert "nftables.service" in found["After"][0].split()
    assert found["PartOf"] == found["ReloadPropagatedFrom"] == ["nftables.service"]


def test_what_a_site_says_of_its_machine_stays_until_it_says_otherwise(tmp_path: Path) -> None:
    root, prefix = staged(tmp_path)
    places = ("--root", str(root), "--prefix", str(prefix))
    choices = root / "etc/postern"
    assert not choices.exists()
    install(*places, "--appliance", "--proxy", "10.0.0.5:3128")
    assert (choices / "egress.env").read_text() == 'OTHERS=refuse\nEXEMPT=""\n'
    install(*places, "--exempt", "www-data,mosquitto")
    assert (choices / "egress.env").read_text() == 'OTHERS=refuse\nEXEMPT="www-data mosquitto"\n'
    assert "proxies4 { 10.0.0.5 . 3128 }" in (choices / "egress.d/proxy.nft").read_text()
    install(*places)
    install(*places, "--proxy", "[fd00::5]:3128")
    assert "mosquitto" in (choices / "egress.env").read_text()
    assert "proxies6 { fd00::5 . 3128 }" in (choices / "egress.d/proxy.nft").read_text()
    install(*places, "--shared", "--exempt", "none", "--proxy", "none")
    assert (choices / "egress.env").read_text() == 'OTHERS=count\nEXEMPT=""\n'
    assert not (choices / "egress.d/proxy.nft").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--proxy", "proxy.example:3128", "is no address"),
        ("--proxy", "999.1.1.1:3128", "is no address"),
        ("--proxy", "10.0.0.5:99999", "is no address"),
        ("--proxy", "10.0.0.5:3128 }; flush ruleset", "is no address"),
        ("--proxy", "[fd00::5%lan]:3128", "is no address"),
        ("--exempt", "www-data;reboot", "are no names"),
    ],
)
def test_what_the_kernel_would_not_take_is_refused_before_anything_is_written(
    tmp_path: Path, option: str, value: str, said: str
) -> None:
    """Rules that do not load keep the desk from starting."""
    assert said in install("--root", str(tmp_path / "root"), option, value, code=1)
    assert not (tmp_path / "root").exists()


@pytest.mark.proves("one-way-out")
def test_only_the_courier_may_leave_the_site() -> None:
    assert settings(UNITS[0])["IPAddressDeny"] == ["any"]
    assert settings(UNITS[1])["IPAddressDeny"] == ["any"]
    assert settings(UNITS[1])["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert "IPAddressDeny" not in settings(UNITS[2])
    for unit in UNITS[:2]:
        allowed = " ".join(settings(unit).get("IPAddressAllow", [])).split()
        assert "any" not in allowed
        assert "0.0.0.0/0" not in allowed


def test_the_node_reaches_no_device_but_the_tpm() -> None:
    node = settings(UNITS[0])
    assert node["DevicePolicy"] == ["closed"]
    assert node["DeviceAllow"] == ["/dev/tpmrm0 rw"]
    assert "m postern-node      tss" in (SCRIPTS / "units" / "postern.sysusers").read_text()
