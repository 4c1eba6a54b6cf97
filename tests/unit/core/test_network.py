"""Which addresses are the site's own: a table, and what a name must resolve to."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from core.errors import ConfigError
from core.network import NameUnknown, NotLocal, is_local, local_addresses, require_local

INSIDE = [
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "fd00::1",
    "::ffff:10.0.0.1",
]
OUTSIDE = [
    "8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "11.0.0.1", "169.254.169.254", "fe80::1", "100.64.0.1",
    "0.0.0.0", "::", "2001:db8::1", "::ffff:8.8.8.8", "224.0.0.1", "255.255.255.255", "64:ff9b::a00:1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address: str) -> None:
    assert is_local(address)
    require_local(address)


@pytest.mark.proves("local-network")
@pytest.mark.parametrize("address", OUTSIDE)
def test_outside(address: str) -> None:
    assert not is_local(address)
    with pytest.raises(ConfigError):
        require_local(address)


def test_a_name_is_judged_later() -> None:
    assert not is_local("mail.clinic.example")
    require_local("mail.clinic.example")


async def test_literal_addresses_resolve_to_themselves() -> None:
    assert await local_addresses("127.0.0.1", 25) == ["127.0.0.1"]
    assert set(await local_addresses("localhost", 25)) <= {"127.0.0.1", "::1"}
    with pytest.raises(NotLocal):
        await local_addresses("8.8.8.8", 25)


@pytest.mark.proves("local-network")
@pytest.mark.parametrize(
    ("answers", "refused"),
    [(["10.0.0.5"], False), (["10.0.0.5", "8.8.8.8"], True), (["8.8.8.8"], True)],
)
async def test_a_name_that_leads_outside_is_refused_whatever_else_it_leads_to(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], refused: bool
) -> None:
    async def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 25)) for address in answers]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    if refused:
        with pytest.raises(NotLocal):
            await local_addresses("mail.clinic.example", 25)
    else:
        assert await local_addresses("mail.clinic.example", 25) == answers


async def test_a_name_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(NameUnknown):
        await local_addresses("nowhere.example", 25)
