"""How Postern starts Ray: settings, secrets, commands. With real clusters: tests/integration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_sync.commands import ray as ray_commands
from cloud_sync.overflow import ray_cluster
from core.errors import ConfigError

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:6379", "10.0.0.5", "10.0.0.5:6379"])
def test_nothing_goes_to_the_makers_and_whoever_asks_shows_the_token(address: str) -> None:
    settings = ray_cluster.settings(address)
    assert settings["RAY_USAGE_STATS_ENABLED"] == "0"
    assert settings["RAY_AUTH_MODE"] == "token"
    assert ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" in settings) is address.startswith("127.")


def test_the_first_machine_has_no_dashboard_and_the_others_find_it() -> None:
    first = ray_cluster.start_command("10.0.0.5", head_port=6379, cpus=None)
    other = ray_cluster.start_command("10.0.0.6", head="10.0.0.5:6379", cpus=4)
    assert {"--head", "--port=6379", "--include-dashboard=false", "--node-ip-address=10.0.0.5"} <= set(first)
    assert {"--address=10.0.0.5:6379", "--node-ip-address=10.0.0.6", "--num-cpus=4"} <= set(other)
    assert "--head" not in other
    assert "--disable-usage-stats" in first
    assert "--disable-usage-stats" in other


def test_a_secret_is_made_once_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    ray_cluster.make_secret(path)
    made = path.read_text()
    assert re.fullmatch("[0-9a-f]{64}", made)
    assert path.stat().st_mode & 0o777 == 0o600
    ray_cluster.make_secret(path)
    assert path.read_text() == made


def test_the_token_is_where_ray_looks_for_it() -> None:
    assert ray_cluster.token_file({"RAY_AUTH_TOKEN_PATH": "/run/token"}) == Path("/run/token")
    assert ray_cluster.token_file({}) == Path.home() / ".ray" / "auth_token"


@pytest.mark.parametrize("chars", [ray_commands.KEY_CHARS_MIN - 1, ray_commands.KEY_CHARS_MIN])
def test_a_key_that_can_be_guessed_is_refused(chars: int, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * chars + "\n")
    if chars < ray_commands.KEY_CHARS_MIN:
        with pytest.raises(ConfigError):
            ray_commands._key_sha256(path)
    else:
        assert len(ray_commands._key_sha256(path)) == 64


def test_without_ray_the_commands_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_commands, "find_spec", lambda _: None)
    done = CliRunner().invoke(ray_commands.app, ["run", "--key-file", str(tmp_path / "key")])
    assert isinstance(done.exception, ray_cluster.RayMissing)
    assert not (tmp_path / "key").exists()


def test_a_certificate_that_is_not_there_is_noticed_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_commands, "find_spec", lambda _: object())
    for name in ray_cluster.settings("127.0.0.1"):
        monkeypatch.setenv(name, "")
    command = ["run", "--key-file", str(tmp_path / "key"), "--certificate", str(tmp_path / "none")]
    command += ["--private-key", str(tmp_path / "none")]
    done = CliRunner().invoke(ray_commands.app, command)
    assert isinstance(done.exception, ConfigError)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "cluster.example.org"])
def test_off_loopback_the_door_needs_tls(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TLS"):
        ray_commands._door(host, 8700, None, None, plain_http=False)
    assert ray_commands._door(host, 8700, None, None, plain_http=True).everywhere
    file = tmp_path / "pem"
    file.touch()
    door = ray_commands._door(host, 8700, file, file, plain_http=False)
    assert (door.certificate, door.private_key, door.everywhere) == (str(file), str(file), True)


def test_on_loopback_it_does_not(tmp_path: Path) -> None:
    assert not ray_commands._door("127.0.0.1", 8700, None, None, plain_http=False).everywhere
    for files in ((tmp_path, None), (None, tmp_path)):
        with pytest.raises(ConfigError, match="belong together"):
            ray_commands._door("127.0.0.1", 8700, *files, plain_http=True)


def test_an_open_door_is_noticed_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_commands, "find_spec", lambda _: object())
    for name in ray_cluster.settings("127.0.0.1"):
        monkeypatch.setenv(name, "")
    command = ["run", "--key-file", str(tmp_path / "key"), "--host", "10.0.0.5"]
    done = CliRunner().invoke(ray_commands.app, command)
    assert isinstance(done.exception, ConfigError)
    assert not (tmp_path / "key").exists()


def test_a_machine_without_the_token_does_not_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_commands, "find_spec", lambda _: object())
    for name in ray_cluster.settings("10.0.0.5"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    done = CliRunner().invoke(ray_commands.app, ["join", "10.0.0.5:6379", "--node", "10.0.0.6"])
    assert isinstance(done.exception, ray_cluster.RayMissing)


def test_haproxy_stays_out_of_the_lock() -> None:
    """Its licence is the GPL; Serve's extra would bring it."""
    assert "haproxy" not in (ROOT / "requirements" / "ray.txt").read_text()
