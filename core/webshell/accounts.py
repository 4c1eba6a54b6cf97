"""Accounts, logins and sessions of a console. Storage is behind `AccountStore`; HTTP is in `shell`.

Passwords are kept as argon2id hashes, session tokens and the claim code as SHA-256: those are random already.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.attempts import AttemptLimit
from core.errors import PosternError
from core.identity import new_secret
from core.signing import content_hash

# NIST SP 800-63B asks for 8 at least and lengths over rules; an admin's password opens a fleet.
PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 256
# A working day; a session is not prolonged by pages that refresh themselves.
SESSION_LIFE = timedelta(hours=10)
# The sealed account is for getting through one bad hour, not for a shift.
EMERGENCY_LIFE = timedelta(hours=1)
SESSION_TOKEN_BYTES = 32
# 80 bits in four groups of four: typed once, from a terminal.
CLAIM_CODE_BYTES = 10
# argon2id takes 64 MiB and some 50 ms of a core; two at once bound what strangers can cost us.
HASHES_AT_ONCE = 2
# Wrong logins from one address, and on one account from anywhere, in five minutes.
ATTEMPTS_PER_ADDRESS = 10
ATTEMPTS_PER_NAME = 50
ATTEMPTS_WINDOW_S = 300.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,59}")


class WrongCredentials(PosternError):
    """Name or password is wrong; which of them is not said."""

    code = "wrong_credentials"
    title = "The name or the password is wrong"
    remedy = "Try again. Passwords are case-sensitive."
    status = 401


class ClaimRefused(PosternError):
    """The claim code is wrong, or somebody has used it."""

    code = "claim_refused"
    title = "The claim code is not accepted"
    remedy = (
        "Use the code that was printed at the last start. If somebody has claimed already, log in instead."
    )
    status = 401


class UnusableAccount(PosternError):
    """The name or password asked for cannot be used."""

    code = "unusable_account"
    title = "This account cannot be created"
    remedy = "Choose another name or password."
    status = 400


@dataclass(frozen=True)
class Note:
    """A line for the audit trail."""

    at: datetime
    actor: str
    action: str
    outcome: str = "done"


@dataclass(frozen=True)
class Account:
    """Who is logged in, and what for."""

    name: str
    roles: frozenset[str] = frozenset()
    """What a console with roles lets this account do; the others ignore it."""
    emergency: bool = False
    """The sealed account that is opened when nothing else opens."""


@dataclass(frozen=True)
class Credential:
    """What a login is checked against."""

    password_hash: str
    emergency: bool = False


class AccountStore(Protocol):
    """Where accounts live. Each method is one transaction and raises PosternError when the store is away."""

    async def renew_claim(self, code_hash: bytes) -> bool:
        """Make this the claim code, unless an account exists; whether it was made so."""
        ...

    async def claim(self, code_hash: bytes, name: str, password_hash: str, note: Note) -> bool:
        """Spend the claim code and create the first account. Of many at once, one succeeds."""
        ...

    async def claimed(self) -> bool:
        """Whether an account exists."""
        ...

    async def credential(self, name: str) -> Credential | None:
        """The account's argon2id hash; None for an account that is unknown, disabled or without a password."""
        ...

    async def open_session(self, token_hash: bytes, name: str, expires: datetime, note: Note) -> None:
        """Keep a session, and forget those that have expired."""
        ...

    async def session_account(self, token_hash: bytes, now: datetime, active: bool) -> Account | None:
        """The account of an unexpired session, or None. `active`: a person did something, not a page by itself."""
        ...

    async def close_session(self, token_hash: bytes, note: Note) -> None:
        """End a session."""
        ...

    async def add_note(self, note: Note) -> None:
        """Write a line of audit that changes nothing else."""
        ...


class Accounts:
    """The rules of claiming, logging in and out."""

    def __init__(self, store: AccountStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._by_address = AttemptLimit(ATTEMPTS_PER_ADDRESS, ATTEMPTS_WINDOW_S)
        self._by_name = AttemptLimit(ATTEMPTS_PER_NAME, ATTEMPTS_WINDOW_S)
        # Verified against when the name is unknown, so that the answer takes as long as for a known one.
        self._nobody = self._hasher.hash(secrets.token_hex())

    async def issue_claim(self) -> str | None:
        """A new claim code for the first admin, replacing any before; None once somebody has claimed."""
        letters = new_secret(CLAIM_CODE_BYTES)
        code = "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
        return code if await self._store.renew_claim(_claim_hash(code)) else None

    async def claimed(self) -> bool:
        """Whether the first admin exists."""
        return await self._store.claimed()

    async def claim(self, code: str, name: str, password: str, address: str) -> str:
        """Create the first account; returns its session token.

        Raises TooManyAttempts, UnusableAccount, ClaimRefused.
        """
        self._by_address.begin(address, time.monotonic())
        _check_account(name, password)
        now = self._clock()
        note = Note(now, name, "account.claimed")
        if not await self._store.claim(_claim_hash(code), name, await self._hash(password), note):
            raise ClaimRefused()
        self._by_address.succeeded(address)
        return await self._open(name)

    async def log_in(self, name: str, password: str, address: str) -> str:
        """Returns a session token. Raises TooManyAttempts, WrongCredentials."""
        now_s = time.monotonic()
        self._by_address.begin(address, now_s)
        self._by_name.begin(name, now_s)
        known = await self._store.credential(name) if _NAME.fullmatch(name) else None
        right = await self._verify(
            known.password_hash if known else self._nobody, password[:PASSWORD_CHARACTERS_MAX]
        )
        if known is None or not right:
            note = Note(self._clock(), name if known else "unknown", "login.refused", "refused")
            await self._store.add_note(note)
            raise WrongCredentials()
        self._by_address.succeeded(address)
        self._by_name.succeeded(name)
        return await self._open(name, emergency=known.emergency)

    async def admit(self, name: str) -> str:
        """A session token for somebody whom another has identified (single sign-on)."""
        return await self._open(name)

    async def new_password(self, name: str, password: str) -> str:
        """The hash to keep for a name and password that somebody chose. Raises UnusableAccount."""
        _check_account(name, password)
        return await self._hash(password)

    async def account_of(self, token: str, *, active: bool = True) -> Account | None:
        """Whose session a token is, or None. `active` is False for a page that refreshes itself."""
        return await self._store.session_account(_token_hash(token), self._clock(), active)

    async def log_out(self, token: str, name: str) -> None:
        """End a session."""
        await self._store.close_session(_token_hash(token), Note(self._clock(), name, "logout"))

    def new_token(self) -> tuple[str, bytes]:
        """A session token that a caller keeps the hash of itself."""
        token = secrets.token_urlsafe(SESSION_TOKEN_BYTES)
        return token, _token_hash(token)

    async def _open(self, name: str, *, emergency: bool = False) -> str:
        (token, token_hash), now = self.new_token(), self._clock()
        life = EMERGENCY_LIFE if emergency else SESSION_LIFE
        note = Note(now, name, "login.break-glass" if emergency else "login")
        await self._store.open_session(token_hash, name, now + life, note)
        return token

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, known: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self._hasher.verify, known, password)
            except (VerificationError, InvalidHashError):
                return False


def _check_account(name: str, password: str) -> None:
    if not _NAME.fullmatch(name):
        raise UnusableAccount(
            "A name for logging in is one word of 1 to 60 letters, digits, dots, hyphens, underscores or @."
        )
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise UnusableAccount(
            f"A password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters."
        )
    if name.lower() in password.lower() and len(name) > 3:
        raise UnusableAccount("The password contains the name.")


def _claim_hash(code: str) -> bytes:
    return content_hash("".join(code.split()).replace("-", "").upper().encode())


def _token_hash(token: str) -> bytes:
    return content_hash(token.encode())
