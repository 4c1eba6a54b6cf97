"""The keys of programs, in memory: who may do what, how often and how many at once. No request touches the store.

The node is the only process that changes keys, so what is revoked is out of use with the operation's return.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from core.errors import PosternError
from edge.chat.admission import RateLimited
from edge.chat.rates import CallerRates, Rate
from edge.chat.session import boot_s
from edge.store import api_keys
from edge.store.allowance import Allowance
from edge.store.api_keys import ApiKey, Scope
from edge.store.store import Store

WRONG_KEYS_PER_MINUTE: Final = 30
"""Of one address: a program with a stale key retries a few times. Guessing is hopeless anyway; this bounds its noise.

Right keys are not held up by it: a program must not be shut out by another one behind the same proxy.
"""


class InvalidApiKey(PosternError):
    """No key, or none that works; which of the two is not told."""

    code = "invalid_api_key"
    title = "The API key is not accepted"
    remedy = "Send a key of this site: Authorization: Bearer pstn_…; postern api-keys new makes one."
    status = 401


class ScopeMissing(PosternError):
    """The key is good, but not for this."""

    code = "scope_missing"
    title = "The API key does not open this route"
    remedy = "Use a key with the scope that is named: postern api-keys new --scope …"
    status = 403

    def __init__(self, detail: str, actor: str) -> None:
        super().__init__(detail)
        self.actor = actor


class TooManyAtOnce(PosternError):
    """The key has as many requests under way as it may."""

    code = "too_many_at_once"
    title = "Too many requests at once"
    remedy = "Wait for one of them, or make a key that may have more."
    status = 429
    # Most requests take a fraction of a second.
    retry_after_s = 1


@dataclass(eq=False)
class Use:
    """One request of a key."""

    key: ApiKey
    _held: _Held
    _clock: Callable[[], float]

    def spend(self, tokens: int) -> None:
        """Count what the request took. It is known afterwards: past the limit the next request waits, not this one."""
        held = self._held
        held.tokens_whole_at_s = held.tokens.taken(held.tokens_whole_at_s, self._clock(), tokens)


@dataclass(eq=False)
class _Held:
    """A key in memory; times in seconds of the boot clock."""

    key_hash: bytes
    key: ApiKey
    requests: Rate
    tokens: Rate
    used_day: int | None
    requests_whole_at_s: float = 0.0
    tokens_whole_at_s: float = 0.0
    under_way: int = 0

    @classmethod
    def of(cls, key_hash: bytes, key: ApiKey) -> _Held:
        allowance = key.allowance
        requests, tokens = Rate(allowance.requests_per_minute), Rate(allowance.tokens_per_minute)
        return cls(key_hash, key, requests, tokens, key.used_day)


class KeyRing:
    """Used from one event loop. `clock`: seconds, never going back."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = boot_s) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[bytes, _Held] = {}
        self._wrong = CallerRates(Rate(WRONG_KEYS_PER_MINUTE))

    async def load(self) -> None:
        """Take in what the store has."""
        found = await self._store.read(api_keys.working)
        self._held = {key_hash: _Held.of(key_hash, key) for key_hash, key in found}

    async def new(
        self, actor: str, name: str, scopes: Iterable[Scope], allowance: Allowance, notice_version: str | None
    ) -> tuple[ApiKey, str]:
        """A key, and its secret for this once. Raises ApiKeyExists, TooManyApiKeys."""
        secret = api_keys.new_secret()
        key_hash, wanted = api_keys.hash_of(secret), frozenset(scopes)
        key = await self._store.write(
            lambda db: api_keys.add(db, actor, name, key_hash, wanted, allowance, notice_version)
        )
        self._held[key_hash] = _Held.of(key_hash, key)
        return key, secret

    async def revoke(self, actor: str, name: str) -> None:
        """Out of use once this returns; requests under way end. Raises NoSuchApiKey."""
        key_id = await self._store.write(lambda db: api_keys.revoke(db, actor, name))
        self._held = {key_hash: held for key_hash, held in self._held.items() if held.key.id != key_id}

    async def listing(self) -> list[ApiKey]:
        """Every key that works, and the last ones revoked."""
        return await self._store.read(api_keys.listing)

    @contextmanager
    def enter(self, authorization: str, address: str, scope: Scope | None) -> Iterator[Use]:
        """A request with this header. `scope` None: any key. Raises InvalidApiKey, ScopeMissing, RateLimited,
        TooManyAtOnce.
        """
        held = self._find(authorization, address)
        if scope is not None and scope not in held.key.scopes:
            raise ScopeMissing(f"This needs a key with the scope “{scope}”.", held.key.actor)
        self._take(held)
        held.under_way += 1
        try:
            yield Use(held.key, held, self._clock)
        finally:
            held.under_way -= 1

    async def note_use(self, use: Use) -> None:
        """Keep that the key was used today: one write a key and day."""
        held, day = use._held, api_keys.today()
        if held.used_day != day:
            held.used_day = day
            await self._store.write(lambda db: api_keys.note_use(db, held.key.id, day))

    def _find(self, authorization: str, address: str) -> _Held:
        scheme, _, secret = authorization.partition(" ")
        key_hash = api_keys.hash_of(secret.strip())
        held = self._held.get(key_hash)
        # The table is searched by hash, which tells nothing of the key; the comparison in constant time is the rule.
        if held and scheme.lower() == "bearer" and hmac.compare_digest(held.key_hash, key_hash):
            return held
        now_s = self._clock()
        wait_s = self._wrong.wait_s(address, now_s)
        if wait_s > 0:
            raise RateLimited("Your address has sent too many keys that do not work.", wait_s)
        self._wrong.take(address, now_s)
        raise InvalidApiKey

    def _take(self, held: _Held) -> None:
        now_s, allowance = self._clock(), held.key.allowance
        wait_s = held.requests.wait_s(held.requests_whole_at_s, now_s)
        if wait_s > 0:
            raise RateLimited(f"This key may ask {allowance.requests_per_minute} times a minute.", wait_s)
        wait_s = held.tokens.wait_s(held.tokens_whole_at_s, now_s)
        if wait_s > 0:
            raise RateLimited(f"This key may use {allowance.tokens_per_minute} tokens a minute.", wait_s)
        if held.under_way >= allowance.concurrent_max:
            raise TooManyAtOnce(f"This key may have {allowance.concurrent_max} requests at once.")
        held.requests_whole_at_s = held.requests.taken(held.requests_whole_at_s, now_s)
