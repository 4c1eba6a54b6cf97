"""The rules of presence, as tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.fabric.presence import DEVICES_MAX, PAYLOAD_BYTES_MAX, Device, Presence, Roster, parse, topic_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("postern/clinic/kiosk/lobby/presence", b'{"state":"online"}', Presence("lobby", "online")),
        ("postern/clinic/kiosk/lobby/presence", b'{"state":"offline","v":2}', Presence("lobby", "offline")),
        ("postern/clinic/kiosk/lobby/presence", b'{"state":"dozing"}', Presence("lobby", "unknown")),
        ("postern/clinic/kiosk/lobby/presence", b"", Presence("lobby", None)),
        ("postern/clinic/kiosk/lobby/presence", b"online", "malformed"),
        ("postern/clinic/kiosk/lobby/presence", b'{"state":1}', "malformed"),
        ("postern/clinic/kiosk/lobby/presence", b"[]", "malformed"),
        ("postern/clinic/kiosk/lobby/presence", b"\xff\xfe", "malformed"),
        ("postern/clinic/kiosk/lobby/presence", b"[" * PAYLOAD_BYTES_MAX, "malformed"),
        ("postern/clinic/kiosk/lobby/presence", b"x" * (PAYLOAD_BYTES_MAX + 1), "size"),
        ("postern/clinic/kiosk/Lobby<b>/presence", b'{"state":"online"}', "id"),
        ("postern/clinic/kiosk//presence", b'{"state":"online"}', "id"),
        ("postern/clinic/kiosk/" + "a" * 41 + "/presence", b'{"state":"online"}', "id"),
        ("postern/other/kiosk/lobby/presence", b'{"state":"online"}', "topic"),
        ("postern/clinic/kiosk/lobby/presence/x", b'{"state":"online"}', "topic"),
        ("", b'{"state":"online"}', "topic"),
    ],
)
def test_what_a_message_means(topic: str, payload: bytes, expected: object) -> None:
    assert parse("clinic", topic, payload) == expected


def test_a_roster_follows_its_devices() -> None:
    roster = Roster()
    assert roster.apply(Presence("lobby", "online"), NOON)
    assert roster.apply(Presence("annex", "offline"), None)
    assert roster.snapshot() == (Device("annex", "offline", None), Device("lobby", "online", NOON))
    roster.apply(Presence("lobby", "offline"), None)
    assert roster.snapshot()[1] == Device("lobby", "offline", NOON), "a retained message is not a sighting"
    roster.apply(Presence("annex", None), None)
    assert [device.id for device in roster.snapshot()] == ["lobby"]


def test_without_the_broker_nothing_is_known() -> None:
    roster = Roster()
    roster.apply(Presence("lobby", "online"), NOON)
    roster.lose_broker()
    assert roster.snapshot() == (Device("lobby", "unknown", NOON),)


def test_a_full_roster_still_follows_those_it_knows() -> None:
    roster = Roster()
    for number in range(DEVICES_MAX):
        assert roster.apply(Presence(f"kiosk-{number}", "online"), NOON)
    assert not roster.apply(Presence("one-more", "online"), NOON)
    assert roster.apply(Presence("kiosk-7", "offline"), NOON)
    assert len(roster.snapshot()) == DEVICES_MAX


def test_a_topic_is_its_own_filter() -> None:
    assert topic_of("clinic", "+") == "postern/clinic/kiosk/+/presence"
