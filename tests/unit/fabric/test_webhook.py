"""Signatures of webhooks: the scheme's published example, and that every part of what is signed counts."""

from __future__ import annotations

import pytest

from edge.fabric.webhook import read_secret, sign

# The example of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example() -> None:
    assert sign(read_secret(SECRET), *EXAMPLE) == SIGNATURE


@pytest.mark.parametrize(
    "other", [("msg_other", *EXAMPLE[1:]), (EXAMPLE[0], 1614265331, EXAMPLE[2]), (*EXAMPLE[:2], b"{}")]
)
def test_each_part_counts(other: tuple[str, int, bytes]) -> None:
    assert sign(read_secret(SECRET), *other) != SIGNATURE
