"""`cloud.toml`: what is accepted, and that a fault names the setting but not its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import utc_now
from core.errors import ConfigError


def _load(folder: Path, toml: str):  # type: ignore[no-untyped-def]
    paths = CloudPaths(folder)
    paths.config.write_text(toml, encoding="utf-8")
    return load_settings(paths)


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    settings = _load(tmp_path, "")
    assert (settings.console.port, settings.sync.port, settings.enrolment.port) == (8090, 8091, 8092)
    assert not settings.console.secure


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[console]\nhost = '0.0.0.0'", "console"),
        ("[console]\nhost = '192.0.2.1'", "console"),
        ("[console]\ncertificate_file = 'x'", "console"),
        ("[sync]\nhost = '0.0.0.0'", "sync"),
        ("[sync]\nport = 70000", "sync.port"),
        ("[enrolment]\nport = 'x'", "enrolment.port"),
        ("[identity]\nnode_certificate_days = 0", "identity.node_certificate_days"),
        ("[database]\nurl = 'mysql://u:secret@h/d'", "database"),
        ("[overflow]\nendpoints = ['secret']", "overflow.endpoints"),
        ("[overflow]\nendpoints = ['a:1', 'a:2', 'a:3', 'a:4', 'a:5']", "overflow.endpoints"),
        ("colour = 'red'", "colour"),
        ("not toml", "cloud.toml"),
    ],
)
def test_faults_name_the_setting_and_not_its_value(tmp_path: Path, toml: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, toml)
    assert named in caught.value.detail
    assert "secret" not in caught.value.detail


def test_nodes_may_be_told_of_up_to_four_replicas(tmp_path: Path) -> None:
    four = ["hub.example:1", "192.0.2.1:2", "[2001:db8::1]:3", "a:65535"]
    assert list(_load(tmp_path, f"[overflow]\nendpoints = {four}").overflow.endpoints) == four


def test_listening_everywhere_needs_the_name_that_nodes_use(tmp_path: Path) -> None:
    settings = _load(tmp_path, "[sync]\nhost = '0.0.0.0'\nadvertised_host = 'hub.example'")
    assert settings.sync.public_host == "hub.example"


def test_a_new_folder_is_whole_private_and_made_once(tmp_path: Path) -> None:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, 'Clinics "North" \\ Süd', "", utc_now())
    assert load_settings(paths).organisation == 'Clinics "North" \\ Süd'
    assert len(load_identities(paths).enrolment_fingerprint) == 32
    assert paths.keys.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in paths.keys.iterdir())
    with pytest.raises(ConfigError):
        create_folder(paths, "Other", "", utc_now())
    (paths.keys / "authority.pem").unlink()
    with pytest.raises(ConfigError):
        load_identities(paths)


def test_a_folder_without_settings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(CloudPaths(tmp_path))
    assert "postern-cloud init" in caught.value.remedy
