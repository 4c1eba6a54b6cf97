"""Accounts, logins and sessions of a console. Storage is behind `AccountStore`; HTTP is in `shell`.

Passwords are kept as argon2id hashes, session tokens and the claim code as SHA-256: those are random already.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.attempts import AttemptLimit, TooManyAttempts
from core.errors import PosternError
from core.identity import new_secret
from core.signing import content_hash

# NIST SP 800-63B asks for 8 at least and lengths over rules; an admin's password opens a fleet.
PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 256
# A working day; a session is not prolonged by pages that refresh themselves.
SESSION_LIFE = timedelta(hours=10)
SESSION_TOKEN_BYTES = 32
# 80 bits in four groups of four: typed once, from a terminal.
CLAIM_CODE_BYTES = 10
# 120 bits in groups of four for each half of the sealed account's password: typed once, from paper.
ENVELOPE_BYTES = 15
# A login that is shown by a program and not by a browser is bound to none.
NO_BROWSER = b""
# argon2id takes 64 MiB and some 50 ms of a core; two at once bound what strangers can cost us.
HASHES_AT_ONCE = 2
# Wrong logins from one address, and on one account from anywhere, in five minutes.
ATTEMPTS_PER_ADDRESS = 10
ATTEMPTS_PER_NAME = 50
ATTEMPTS_WINDOW_S = 300.0
_MISREAD = str.maketrans("ILO", "110")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,59}")


class WrongCredentials(PosternError):
    """Name or password is wrong; which of them is not said."""

    code = "wrong_credentials"
    title = "The name or the password is wrong"
    remedy = "Try again. Passwords are case-sensitive."
    status = 401


class SealRefused(PosternError):
    """A half is wrong, or the seal is an old or a used one; which of these is not said."""

    code = "seal_refused"
    title = "The two halves do not open the account"
    remedy = (
        "Each half goes into the field of its envelope. Used or replaced ones open nothing: seal it anew."
    )
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
    second_hash: str = ""
    """Of the other half of a sealed account's password, which another person keeps."""
    emergency: bool = False
    opened: datetime | None = None
    """When the seal of a sealed account was broken: that is when its time began."""


@dataclass(frozen=True)
class Visitor:
    """Who asks, as far as the connection tells."""

    address: str
    browser: bytes
    """`core.webshell.security.browser_of`: a login is refused to another address or kind of browser."""


@dataclass(frozen=True)
class Session:
    """A login that is open."""

    account: Account
    bound_to: bytes
    """The browser that it was made in; `NO_BROWSER` for a program's token."""


@dataclass(frozen=True)
class Emergency:
    """The sealed account that two people open together, where a console has one."""

    name: str
    life: timedelta
    """From the first use on, whatever is done in between; then both halves are void."""


@dataclass(frozen=True)
class Sealed:
    """New halves of the sealed account's password: on paper, and as argon2id hashes to keep."""

    envelopes: tuple[str, str]
    hashes: tuple[str, str]


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

    async def open_session(
        self, token_hash: bytes, name: str, expires: datetime, bound_to: bytes, note: Note
    ) -> None:
        """Keep a session, and forget those that have expired."""
        ...

    async def session(self, token_hash: bytes, now: datetime, browser: bytes, active: bool) -> Session | None:
        """An unexpired session. `active`: a person did something, in the `browser` that it is bound to."""
        ...

    async def close_session(self, token_hash: bytes, note: Note) -> None:
        """End a session."""
        ...

    async def add_note(self, note: Note) -> None:
        """Write a line of audit that changes nothing else."""
        ...


class Accounts:
    """The rules of claiming, logging in and out."""

    def __init__(
        self, store: AccountStore, clock: Callable[[], datetime], emergency: Emergency | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._emergency = emergency
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._by_address = AttemptLimit(ATTEMPTS_PER_ADDRESS, ATTEMPTS_WINDOW_S)
        self._by_name = AttemptLimit(ATTEMPTS_PER_NAME, ATTEMPTS_WINDOW_S)
        # Of the sealed account: nobody's wrong logins elsewhere may keep shut what is for the worst day. That nobody
        # guesses two halves of 120 bits needs no limit at all; this one bounds what they cost us.
        self._at_the_seal = AttemptLimit(ATTEMPTS_PER_ADDRESS, ATTEMPTS_WINDOW_S)
        # Verified against when the name is unknown, so that the answer takes as long as for a known one. Made at the
        # first login, whoever's: it takes a quarter of a second, and most commands log nobody in.
        self._nobody = ""

    async def issue_claim(self) -> str | None:
        """A new claim code for the first admin, replacing any before; None once somebody has claimed."""
        letters = new_secret(CLAIM_CODE_BYTES)
        code = _in_groups(letters)
        return code if await self._store.renew_claim(_claim_hash(code)) else None

    async def claimed(self) -> bool:
        """Whether the first admin exists."""
        return await self._store.claimed()

    async def claim(self, code: str, name: str, password: str, visitor: Visitor) -> str:
        """Create the first account; returns its session token.

        Raises TooManyAttempts, UnusableAccount, ClaimRefused.
        """
        await self._begin((self._by_address, visitor.address))
        _check_account(name, password)
        now = self._clock()
        note = Note(now, name, "account.claimed")
        if not await self._store.claim(_claim_hash(code), name, await self._hash(password), note):
            await self._store.add_note(Note(now, "unknown", "claim.refused", "refused"))
            raise ClaimRefused()
        self._by_address.succeeded(visitor.address)
        return await self._open(name, visitor)

    async def log_in(self, name: str, password: str, visitor: Visitor) -> str:
        """Returns a session token. Raises TooManyAttempts, WrongCredentials: also for the sealed account."""
        await self._begin((self._by_address, visitor.address), (self._by_name, name))
        known = await self._store.credential(name) if _NAME.fullmatch(name) else None
        right = await self._verify(known.password_hash if known else "", password)
        if known is None or known.emergency or not right:
            note = Note(self._clock(), name if known else "unknown", "login.refused", "refused")
            await self._store.add_note(note)
            raise WrongCredentials()
        self._by_address.succeeded(visitor.address)
        self._by_name.succeeded(name)
        return await self._open(name, visitor)

    async def break_glass(self, first: str, second: str, visitor: Visitor) -> str:
        """A session token for two people who each typed the half in their envelope.

        Raises TooManyAttempts, SealRefused. Both halves are always checked: how long it takes tells of neither.
        """
        assert self._emergency is not None, "this console has no sealed account"
        name, life = self._emergency.name, self._emergency.life
        await self._begin((self._at_the_seal, visitor.address))
        known = await self._store.credential(name) or Credential("")
        right = [
            await self._verify(known.password_hash if known.second_hash else "", _as_sealed(first)),
            await self._verify(known.second_hash, _as_sealed(second)),
        ]
        now = self._clock()
        expires = (known.opened or now) + life
        if not all(right) or expires <= now:
            await self._store.add_note(Note(now, name, "login.break-glass", "refused"))
            raise SealRefused()
        self._at_the_seal.succeeded(visitor.address)
        return await self._keep(name, expires, visitor, "login.break-glass")

    async def admit(self, name: str, visitor: Visitor) -> str:
        """A session token for somebody whom another has identified (single sign-on)."""
        return await self._open(name, visitor)

    async def new_seal(self) -> Sealed:
        """Two halves of a password for the sealed account, each for another person."""
        first, second = (new_secret(ENVELOPE_BYTES) for _ in range(2))
        hashes = await self._hash(first), await self._hash(second)
        return Sealed((_in_groups(first), _in_groups(second)), hashes)

    async def new_password(self, name: str, password: str) -> str:
        """The hash to keep for a name and password that somebody chose. Raises UnusableAccount."""
        _check_account(name, password)
        return await self._hash(password)

    async def account_of(self, token: str, browser: bytes, *, active: bool = True) -> Account | None:
        """Whose session a token is, or None. `active` is False for a page that refreshes itself.

        A token that another browser shows than the one it was made in was stolen: its login ends at once. What a
        browser shows and nobody knows is written down; a program's wrong token is refused by the API that it asks.
        """
        token_hash, now = _token_hash(token), self._clock()
        found = await self._store.session(token_hash, now, browser, active)
        if found is None:
            if browser != NO_BROWSER:
                await self._store.add_note(Note(now, "unknown", "login.cookie", "refused"))
            return None
        if not hmac.compare_digest(found.bound_to, browser):
            note = Note(now, found.account.name, "login.elsewhere", "refused")
            await self._store.close_session(token_hash, note)
            return None
        return found.account

    async def form_refused(self, name: str | None) -> None:
        """Write down that a form was refused, of somebody who is logged in or of nobody known."""
        await self._store.add_note(Note(self._clock(), name or "unknown", "form.refused", "refused"))

    async def log_out(self, token: str, name: str) -> None:
        """End a session."""
        await self._store.close_session(_token_hash(token), Note(self._clock(), name, "logout"))

    def new_token(self) -> tuple[str, bytes]:
        """A session token that a caller keeps the hash of itself."""
        token = secrets.token_urlsafe(SESSION_TOKEN_BYTES)
        return token, _token_hash(token)

    async def _begin(self, *counted: tuple[AttemptLimit, str]) -> None:
        """Count an attempt by each limit's key. Raises TooManyAttempts."""
        now_s = time.monotonic()
        try:
            for limit, key in counted:
                limit.begin(key, now_s)
        except TooManyAttempts:
            await self._store.add_note(Note(self._clock(), "unknown", "login.too-many", "refused"))
            raise

    async def _open(self, name: str, visitor: Visitor) -> str:
        return await self._keep(name, self._clock() + SESSION_LIFE, visitor, "login")

    async def _keep(self, name: str, expires: datetime, visitor: Visitor, action: str) -> str:
        token, token_hash = self.new_token()
        note = Note(self._clock(), name, action)
        await self._store.open_session(token_hash, name, expires, visitor.browser, note)
        return token

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, known: str, password: str) -> bool:
        """Whether the password fits the hash; without one it does not, and that takes as long to say."""
        async with self._hashing:
            self._nobody = self._nobody or await asyncio.to_thread(self._hasher.hash, secrets.token_hex())
            try:
                given = password[:PASSWORD_CHARACTERS_MAX]
                return await asyncio.to_thread(self._hasher.verify, known or self._nobody, given)
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


def _in_groups(letters: str) -> str:
    """As it is printed."""
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _as_sealed(half: str) -> str:
    """A half as typed from paper: case, spaces and hyphens do not matter; I and L read as 1, O as 0."""
    return "".join(half.split()).replace("-", "").upper().translate(_MISREAD)


def _claim_hash(code: str) -> bytes:
    return content_hash("".join(code.split()).replace("-", "").upper().encode())


def _token_hash(token: str) -> bytes:
    return content_hash(token.encode())
