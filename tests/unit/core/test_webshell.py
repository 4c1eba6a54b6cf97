"""Limits, form tokens and the words for times: the rules of a console's frame."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core import attempts
from core.attempts import AttemptLimit, TooManyAttempts
from core.webshell import formats, security

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_attempts_are_limited_by_key_and_window() -> None:
    limit = AttemptLimit(2, 60)
    limit.begin("a", 0)
    limit.begin("a", 1)
    with pytest.raises(TooManyAttempts):
        limit.begin("a", 59)
    limit.begin("b", 59)
    limit.begin("a", 60)
    with pytest.raises(TooManyAttempts):
        limit.begin("a", 60)


def test_success_forgets_what_was_wrong_before() -> None:
    limit = AttemptLimit(1, 60)
    limit.begin("a", 0)
    limit.succeeded("a")
    limit.begin("a", 1)


def test_the_limit_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "KEYS_MAX", 2)
    limit = AttemptLimit(1, 60)
    for key in ("a", "b", "c"):
        limit.begin(key, 0)
    limit.begin("a", 1)  # forgotten
    with pytest.raises(TooManyAttempts):
        limit.begin("c", 1)


def test_a_forms_token_belongs_to_one_cookie() -> None:
    token = security.csrf_token("cookie-of-one-visitor")
    assert security.csrf_matches("cookie-of-one-visitor", token)
    assert not security.csrf_matches("cookie-of-another", token)
    assert not security.csrf_matches("cookie-of-one-visitor", "")
    assert not security.csrf_matches("cookie-of-one-visitor", "ü")


@pytest.mark.parametrize(
    ("origin", "secure", "same"),
    [
        (None, False, True),
        ("http://hub:8090", False, True),
        ("http://hub:8091", False, False),
        ("https://hub:8090", False, False),
        ("https://hub:8090", True, True),
        ("null", False, False),
    ],
)
def test_the_origin_of_a_form(origin: str | None, secure: bool, same: bool) -> None:
    assert security.same_origin(origin, "hub:8090", secure) is same


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
        (-5, "0 s"),
    ],
)
def test_durations_in_words(elapsed: int, text: str) -> None:
    assert formats.span(timedelta(seconds=elapsed)) == text
    assert formats.ago(NOW - timedelta(seconds=elapsed), NOW) == f"{text} ago"


def test_counts_and_instants_in_words() -> None:
    assert (formats.count(None), formats.count(0), formats.count(12345)) == ("< 5", "0", "12,345")
    assert formats.utc(NOW) == "2026-03-01 12:00 UTC"
    assert formats.ago(None, NOW) == "never"
