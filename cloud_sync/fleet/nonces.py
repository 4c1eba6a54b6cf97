"""Nonces that cost no memory until they are spent: whoever asks for many pushes nobody's out.

One is random bytes, its moment, and a MAC over both by a key of this process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from typing import Final

from core.identity import NONCE_BYTES, InvalidCertificate

# A nonce is answered over the same connection, at once.
NONCE_LIFE_S: Final = 60.0
# Spent ones that are remembered; only proofs that held spend any, and those have limits of their own.
SPENT_MAX: Final = 1_024
_MOMENT_BYTES, _MAC_BYTES = 8, 16


class Nonces:
    """Whoever asks brings the time, in seconds that only go forward."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._spent: OrderedDict[bytes, None] = OrderedDict()

    def new(self, now_s: float) -> bytes:
        """One for NONCE_LIFE_S."""
        moment = round(now_s * 1000).to_bytes(_MOMENT_BYTES, "big")
        signed = secrets.token_bytes(NONCE_BYTES - _MOMENT_BYTES - _MAC_BYTES) + moment
        return signed + self._mac(signed)

    def check(self, nonce: bytes, now_s: float) -> None:
        """Raises InvalidCertificate for one that is not of this process, too old, or spent."""
        signed, mac = nonce[:-_MAC_BYTES], nonce[-_MAC_BYTES:]
        made_s = int.from_bytes(signed[-_MOMENT_BYTES:], "big") / 1000
        if not hmac.compare_digest(mac, self._mac(signed)) or now_s > made_s + NONCE_LIFE_S:
            raise InvalidCertificate("The nonce is not one of ours, or is too old.")
        if nonce in self._spent:
            raise InvalidCertificate("The nonce was used.")

    def spend(self, nonce: bytes) -> None:
        """It is good no more; `check` has let it pass."""
        self._spent[nonce] = None
        if len(self._spent) > SPENT_MAX:
            self._spent.popitem(last=False)

    def _mac(self, signed: bytes) -> bytes:
        return hmac.new(self._key, signed, hashlib.sha256).digest()[:_MAC_BYTES]
