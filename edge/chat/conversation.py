"""What a conversation is, as values: whose, from where, until when, and what it was told and agreed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database

from core.errors import PosternError
from edge.knowledge.document import Audience
from edge.store.subjects import SubjectKey


class NoticeRequired(PosternError):
    """A turn before the notice was accepted."""

    code = "notice_required"
    title = "Please read the notice first"
    remedy = "Accept the notice with POST …/consent, then ask."
    status = 403


class StaleNotice(PosternError):
    """Consent to another text than the one that is in force."""

    code = "stale_notice"
    title = "The notice has changed"
    remedy = "Show the current notice and send its version."
    status = 409


class Channel(StrEnum):
    """Where the customer speaks from."""

    KIOSK = "kiosk"
    INTRANET = "intranet"
    API = "api"


@dataclass(frozen=True)
class Session:
    """One conversation, as it is now."""

    id: str
    key: SubjectKey
    channel: Channel
    locale: str
    expires_ms: int
    token_hash: bytes
    notice_version: str | None = None
    overflow_consent: bool = False
    # Staff only with an operator's credential, which is checked where the request arrives; never by the body.
    audience: Audience = Audience.PUBLIC
    # False: nothing (more) of it can be recorded; it is answered, where the site allows that, and nothing of it leaves.
    recorded: bool = True

    @property
    def consented(self) -> bool:
        return self.notice_version is not None


@dataclass(frozen=True)
class NewSession:
    """What the customer gets once: the token is not kept."""

    session: Session
    token: str
    expires_in_s: int
    idle_s: int


@dataclass(frozen=True)
class Beginning:
    """A conversation that is to begin here; the notice may have been accepted elsewhere. `subject` None: it stands for
    its person."""

    id: str
    subject: str | None
    channel: Channel
    locale: str
    audience: Audience
    notice_version: str | None = None

    def session(self, key: SubjectKey, expires_ms: int, token_hash: bytes) -> Session:
        """Once its person has a key."""
        told = (self.id, key, self.channel, self.locale, expires_ms, token_hash, self.notice_version)
        return Session(*told, audience=self.audience)


Write = Callable[[Database, Session, Mapping[str, object]], None]
"""Makes a conversation's rows. The mapping is the columns of its own by name."""
