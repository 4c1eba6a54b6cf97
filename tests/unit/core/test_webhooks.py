"""Signatures of webhooks: the scheme's published example, that every part of what is signed counts, and that the
scheme's own library takes them, also while a secret is being replaced.
"""

from __future__ import annotations

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from core.webhooks import read_secret, sign, signed_headers

# The example of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OLD, NEW, OTHER = ("whsec_" + letter * 32 for letter in "ABC")


def test_the_published_example() -> None:
    assert sign(read_secret(SECRET), *EXAMPLE) == SIGNATURE


@pytest.mark.parametrize(
    "other", [("msg_other", *EXAMPLE[1:]), (EXAMPLE[0], 1614265331, EXAMPLE[2]), (*EXAMPLE[:2], b"{}")]
)
def test_each_part_counts(other: tuple[str, int, bytes]) -> None:
    assert sign(read_secret(SECRET), *other) != SIGNATURE


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_the_schemes_library_takes_it_while_a_secret_is_being_replaced(secret: str) -> None:
    body = json.dumps({"type": "alerts.changed", "data": {"raised": ["Zürich"]}}).encode()
    headers = signed_headers([read_secret(NEW), read_secret(OLD)], "msg_1", int(time.time()), body)
    assert Webhook(secret).verify(body, headers)["type"] == "alerts.changed"


def test_the_schemes_library_refuses_another_secret_and_an_old_time() -> None:
    body, now = b"{}", int(time.time())
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, signed_headers([read_secret(NEW)], "msg_1", now, body))
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, signed_headers([read_secret(NEW)], "msg_1", now - 3600, body))


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_" + "A" * 31, "whsec_" + "A" * 88, "whsec_not base64!"]
)
def test_a_secret_of_another_length_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        read_secret(text)
