"""What may stand in the settings of the courier's proxy, and what does not count."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from core import identity as certificates
from core.errors import ConfigError
from edge.config import ProxySection
from edge.egress.courier import proxy
from edge.egress.courier.proxy import Proxy
from edge.paths import NoSite, SitePaths

SITE = '[site]\nid = "a"\nname = "A"\n'


@pytest.mark.parametrize(
    "section",
    [
        {"url": "http://proxy"},
        {"url": "https://proxy"},
        {"url": "http://proxy:3128", "ca_file": "/ca.pem"},
        {"url": "socks5://proxy:1080"},
        {"url": "http://me:secret@proxy:3128"},
        {"url": "http://proxy:3128/path"},
        {"url": "http://proxy:3128", "username": "me"},
        {"url": "http://proxy:3128", "username": "m:e", "password_file": "/p"},
    ],
)
def test_what_cannot_work_is_refused(section: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ProxySection.model_validate(section)


def test_the_settings_say_the_way(tmp_path: Path) -> None:
    paths = SitePaths(tmp_path)
    with pytest.raises(NoSite):
        proxy.configured(paths)
    paths.config.write_text(SITE)
    assert proxy.configured(paths) is None
    paths.config.write_text(f'{SITE}[egress.proxy]\nurl = "http://[fd00::5]:3128"\n')
    assert proxy.configured(paths) == Proxy("fd00::5", 3128)
    secret = tmp_path / "password"
    login = f'username = "me"\npassword_file = "{secret}"\n'
    paths.config.write_text(f'{SITE}[egress.proxy]\nurl = "http://proxy:3128"\n{login}')
    with pytest.raises(ConfigError, match="cannot be read"):
        proxy.configured(paths)
    secret.write_text("p@ss\n")
    found = proxy.configured(paths)
    assert found == Proxy("proxy", 3128, "me", "p@ss")
    assert "p@ss" not in repr(found)


def test_tls_to_the_proxy_believes_the_bundle_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, bundle, system = SitePaths(tmp_path), tmp_path / "bundle.pem", tmp_path / "system.pem"
    for path, names in ((bundle, "ab"), (system, "c")):
        made = [
            certificates.create_ca(name, now=datetime.now(UTC), validity=timedelta(days=1)) for name in names
        ]
        path.write_bytes(b"".join(one.certificate_pem for one in made))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))  # how OpenSSL is told where the system has them
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    def believed(more: str) -> list[str]:
        paths.config.write_text(f'{SITE}[egress.proxy]\nurl = "https://proxy:3129"\n{more}')
        found = proxy.configured(paths)
        assert found is not None
        assert found.tls is not None
        assert (found.tls.check_hostname, found.tls.verify_mode) == (True, ssl.CERT_REQUIRED)
        assert found.tls.minimum_version is ssl.TLSVersion.TLSv1_2
        return sorted(one["subject"][0][0][1] for one in found.tls.get_ca_certs())  # type: ignore[index, misc]

    assert believed(f'ca_file = "{bundle}"\n') == ["a", "b"]
    assert believed("") == ["c"]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), (b"\x00\xff", "holds no certificate")]
)
def test_a_bundle_of_no_use_is_said(tmp_path: Path, content: bytes | None, says: str) -> None:
    paths, bundle = SitePaths(tmp_path), tmp_path / "bundle.pem"
    paths.config.write_text(f'{SITE}[egress.proxy]\nurl = "https://proxy:3129"\nca_file = "{bundle}"\n')
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as raised:
        proxy.configured(paths)
    assert "egress.proxy.ca_file" in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize("content", [b"[egress.proxy\n", b"\xff"], ids=["no TOML", "no text"])
def test_settings_that_cannot_be_read_are_no_direct_way(tmp_path: Path, content: bytes) -> None:
    paths = SitePaths(tmp_path)
    paths.config.write_bytes(content)
    with pytest.raises(ConfigError, match="does not know its way out"):
        proxy.configured(paths)


def test_settings_that_are_not_the_couriers_to_read_are_no_direct_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)  # root may read everything
    with pytest.raises(ConfigError, match="Permission denied"):
        proxy.configured(SitePaths(tmp_path))


def test_no_variable_of_proxies_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in proxy.VARIABLES:
        monkeypatch.setenv(name, "x")
        monkeypatch.setenv(name.upper(), "x")
    monkeypatch.setenv("PROXY_OF_ANOTHER_KIND", "x")
    proxy.forget_variables()
    assert [name for name in os.environ if name.lower().endswith("_proxy")] == []
    assert os.environ["PROXY_OF_ANOTHER_KIND"] == "x"


async def test_a_proxy_that_is_silent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", silent)
    monkeypatch.setattr(proxy, "CONNECT_TIMEOUT_S", 0.0)
    async with proxy.going_through(Proxy("10.0.0.9", 3128)):
        with pytest.raises(proxy.NoWay, match=proxy.PROXY_UNREACHABLE):
            await proxy.open_way("control.example", 443)


@pytest.mark.parametrize("tls", [None, ssl.create_default_context()])
async def test_a_name_that_can_be_none_is_no_proxy(tls: ssl.SSLContext | None) -> None:
    async with proxy.going_through(Proxy("a..b", 3128, tls=tls)):
        with pytest.raises(proxy.NoWay, match=proxy.PROXY_UNREACHABLE):
            await proxy.open_way("control.example", 443)


async def test_a_login_that_was_refused_is_not_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def refusing(host: str, *_: object, **__: object) -> tuple[asyncio.StreamReader, Mock]:
        asked.append(host)
        reader = asyncio.StreamReader()
        reader.feed_data(b"HTTP/1.1 407 No\r\n\r\n")
        return reader, Mock()

    monkeypatch.setattr(asyncio, "open_connection", refusing)

    async def ask() -> None:
        with pytest.raises(proxy.NoWay, match=proxy.PROXY_LOGIN):
            await proxy.open_way("control.example", 443)

    async with proxy.going_through(Proxy("10.0.0.9", 3128, "site", "wrong")):
        await asyncio.gather(asyncio.create_task(ask()))  # the link's own task, and an overflow endpoint's
        await asyncio.gather(asyncio.create_task(ask()))
        assert len(asked) == 1
        monkeypatch.setattr(proxy, "LOGIN_WAIT_S", 0.0)
        await ask()
        assert len(asked) == 2
