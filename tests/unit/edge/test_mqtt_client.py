"""A broker outside the site is not connected to, whatever its name means today and whatever the environment says."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from edge.config import Config
from edge.fabric.address import BrokerAddress
from edge.fabric.client import new_client

PORT = 1883


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[tuple[str, int]]:
    """Let every name mean `addresses`; where connections went to."""
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, PORT)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", connect)
    return connected


def connect(host: str) -> None:
    client = new_client("test", BrokerAddress(host, PORT, None, None, None))
    client.connect_async(host, PORT)
    client.reconnect()


@pytest.mark.parametrize(
    "addresses", [("198.51.100.7",), ("192.168.1.9", "198.51.100.7"), ("169.254.169.254",)]
)
def test_a_broker_outside_the_site_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    connected = answering(monkeypatch, *addresses)
    with pytest.raises(ConnectionRefusedError, match="not_local"):
        connect("broker.clinic.example")
    assert connected == []


def test_each_address_of_a_broker_inside_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://198.51.100.7:1080")
    connected = answering(monkeypatch, "fd00::9", "192.168.1.9")
    with pytest.raises(ConnectionRefusedError):
        connect("broker.clinic.example")
    assert connected == [("fd00::9", PORT), ("192.168.1.9", PORT)]


def test_settings_name_no_broker_outside() -> None:
    site = {"id": "clinic", "name": "Clinic"}
    with pytest.raises(ValueError, match="not an address of the site's own networks"):
        Config.model_validate({"site": site, "mqtt": {"broker": "external", "host": "198.51.100.7"}})
