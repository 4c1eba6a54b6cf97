"""The list of exits is complete: what can open a connection is named in it, and what it names does."""

from __future__ import annotations

import pytest

from edge.egress.exits import EXITS, MEANS, STAYS, Carries, Leads, Opener
from tests.exit_calls import may_open, openings, openings_in

OUTSIDE_US = {Opener.SYSTEM, Opener.PERSON}
"""No module of ours opens these; but the look-up of names is asked for by one."""


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return openings()


def named() -> list[str]:
    return [module for one in EXITS for module in one.modules]


@pytest.mark.long  # reads the whole source
def test_whatever_can_open_a_connection_is_named(found: dict[str, set[str]]) -> None:
    unnamed = {m: by for m, by in found.items() if m not in {*named(), *MEANS, *STAYS}}
    assert not unnamed, "give each an entry in edge/egress/exits.py, and docs/privacy.md its row"


@pytest.mark.long  # reads the whole source
def test_whatever_is_named_can_open_one(found: dict[str, set[str]]) -> None:
    assert not [module for module in (*named(), *MEANS, *STAYS) if module not in found]


def test_each_module_stands_at_one_place() -> None:
    assert not {*named()} & {*MEANS, *STAYS}
    assert not MEANS.keys() & STAYS.keys()


def test_only_what_nobody_of_us_opens_names_no_module() -> None:
    assert not [one.name for one in EXITS if not one.modules and one.opener not in OUTSIDE_US]
    assert len({one.name for one in EXITS}) == len(EXITS)


def test_the_claim_is_the_couriers_and_no_more() -> None:
    """Only what the courier opens is compared with the kernel's counters; all of that is in the ledger."""
    claimed = {one.name for one in EXITS if one.claimed}
    assert claimed == {one.name for one in EXITS if one.opener is Opener.COURIER}
    assert all(one.recorded.startswith("ledger") for one in EXITS if one.claimed)
    assert not [one.name for one in EXITS if one.leads is Leads.CLOUD and not one.claimed]


def test_text_that_a_node_sends_is_written_down() -> None:
    unwritten = [
        one.name
        for one in EXITS
        if one.carries is Carries.TEXT and one.opener is not Opener.PERSON and "store" not in one.recorded
    ]
    assert unwritten == []


@pytest.mark.parametrize(
    "source",
    [
        "import socket as s\ns.socket(s.AF_INET)",
        "from socket import create_connection as dial\ndial(('a', 1))",
        "import asyncio\nasync def f():\n    await asyncio.open_connection('a', 1)",
        "import asyncio\nasync def f(loop):\n    await loop.create_connection(object, 'a', 1)",
        "import asyncio\nasyncio.get_running_loop().create_datagram_endpoint(object)",
        "from aiohttp import ClientSession as Web\nWeb()",
        "import aiohttp.client\naiohttp.client.ClientSession()",
        "import grpc.aio as rpc\nrpc.insecure_channel('a:1')",
        "import asyncio, ssl\nasyncio.to_thread(ssl.get_server_certificate, ('a', 1))",
        "def f():\n    from urllib.request import urlopen",
        "import http.client",
        "import requests",
        "import os\nos.execvp('curl', ['curl'])",
        "from subprocess import run\nrun(['curl'])",
        "import socket\nsocket.socket(socket.AF_UNIX)\nsocket.socket()",
        "from edge.egress.courier import cloud_channel as way\nway.open_channel(1, 2)",
        "from edge.fabric.client import new_client as c\nc('a', 1)",
        "import logging.handlers as h\nh.SysLogHandler()",
        "import asyncio\nasync def f(s):\n    await asyncio.get_running_loop().sock_sendto(s, b'', 1)",
    ],
)
def test_a_way_to_open_one_is_seen(source: str) -> None:
    assert may_open(source)
    assert openings_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "import aiohttp\nasync def f(client: aiohttp.ClientSession) -> aiohttp.ClientSession: ...",
        "from urllib.parse import urlsplit\nurlsplit('a')",
        "requests = []\nrequests.append(1)",
        "from pathlib import Path\nPath('run').unlink()",
    ],
)
def test_what_opens_none_is_let_be(source: str) -> None:
    assert not openings_in(source)
