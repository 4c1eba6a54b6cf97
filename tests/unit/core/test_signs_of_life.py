"""A supervised process that falls silent is noticed: no sooner than it said, and only by its own words."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.signs_of_life import FIRST_S_MAX, NOTIFY_SOCKET, SignsOfLife, say_alive

ROOT = Path(__file__).parents[3]


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SignsOfLife]:
    with SignsOfLife() as listening:
        monkeypatch.setenv(NOTIFY_SOCKET, listening.address)
        yield listening


def test_a_start_takes_its_time(signs: SignsOfLife) -> None:
    assert not signs.silent(os.getpid(), FIRST_S_MAX - 1)
    assert signs.silent(os.getpid(), 1)


def test_a_sign_counts_for_as_long_as_it_says(signs: SignsOfLife) -> None:
    say_alive(3)
    assert not signs.silent(os.getpid(), 1)
    assert not signs.silent(os.getpid(), 2)
    assert signs.silent(os.getpid(), 1)
    say_alive(300)
    say_alive(3)
    assert not signs.silent(os.getpid(), 1)
    assert signs.silent(os.getpid(), 3)


def test_after_a_long_pause_of_the_listener_what_was_said_meanwhile_counts(signs: SignsOfLife) -> None:
    say_alive(2)
    assert not signs.silent(os.getpid(), 10 * FIRST_S_MAX)


def test_another_process_cannot_speak_for_it(signs: SignsOfLife) -> None:
    program = "from core.signs_of_life import say_alive; say_alive(1000)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
    assert signs.silent(os.getpid(), FIRST_S_MAX)


@pytest.mark.parametrize(
    "message", [b"", b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1\nWATCHDOG_USEC=-1", b"x" * 5000]
)
def test_other_words_are_no_sign(signs: SignsOfLife, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(message, signs.address)
    assert signs.silent(os.getpid(), FIRST_S_MAX)


@pytest.mark.parametrize("address", [None, "", "/nowhere", "@nobody-listens"])
def test_where_nobody_listens_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    if address is None:
        monkeypatch.delenv(NOTIFY_SOCKET, raising=False)
    else:
        monkeypatch.setenv(NOTIFY_SOCKET, address)
    say_alive(1)


def test_only_this_user_reaches_the_listener_and_nothing_is_left_of_it() -> None:
    with SignsOfLife() as listening:
        folder = Path(listening.address).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_a_listener_that_does_not_read_holds_nobody_up(signs: SignsOfLife) -> None:
    for _ in range(5000):
        say_alive(1)
    assert not signs.silent(os.getpid(), FIRST_S_MAX)
