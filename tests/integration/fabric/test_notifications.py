"""Telling staff of a ticket: real mail server, real webhook receiver, refused outside the site, kept over kills."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.errors import ConfigError, PosternError
from core.network import NotLocal
from edge.chat import notifications
from edge.chat.notifications import ATTEMPTS_MAX, RETRY_FIRST_MS, RETRY_LAST_MS, Channel
from edge.chat.session_rows import now_ms
from edge.config import Config, HandoffSection, SiteSection, SmtpSection, WebhookSection
from edge.fabric.delivery import Carrier, DeliveryFailed, Notice
from edge.fabric.mail import MailCarrier
from edge.fabric.notifier import Notifier, carriers_of
from edge.fabric.webhook import WebhookCarrier
from edge.store import lan_uses
from edge.store.lan_uses import LanUse
from edge.store.store import StoreBusy
from tests.integration.fabric.staff_servers import (
    LOGIN,
    SECRET_TEXT,
    SiteAuthority,
    mail_server,
    receiver,
    site_authority,
)
from tests.ports import free_ports
from tests.running import Customer, RunningNode, command, running
from tests.unit.edge.chat.desk_rig import ANSWER, QUESTION, Rig, rig

NOTICE = Notice(
    "K7ACDE.1", "K7ACDE", 1_700_000_000_000, "Riverside Clinic", "riverside", "http://desk.test/console"
)
RECIPIENTS = ("desk@clinic.test", "night@clinic.test")
UNKNOWN = "Which acupuncture needles does the astronaut prefer?"
CANARY = "quetzalcoatl-7731"
WAIT_S = 60.0


@pytest.fixture
def authority(tmp_path: Path) -> SiteAuthority:
    return site_authority(tmp_path / "ca")


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.secret"
    path.write_text(SECRET_TEXT)
    return path


def smtp(port: int, security: str = "none", **more: Any) -> SmtpSection:
    host = "127.0.0.1" if security == "none" else "localhost"
    fields = {
        "host": host,
        "port": port,
        "security": security,
        "recipients": RECIPIENTS,
        "sender": "p@clinic.test",
    }
    return SmtpSection(**{**fields, **more})


# --- mail ---


async def test_a_mail_says_number_time_site_and_console() -> None:
    async with mail_server() as server:
        await MailCarrier(smtp(server.port)).send(NOTICE)
        (mail,), (envelope,) = server.mails, server.envelopes
        assert envelope.rcpt_tos == list(RECIPIENTS)
        assert mail["Subject"] == "Riverside Clinic: ticket K7ACDE is waiting"
        assert mail["Message-ID"] == "<K7ACDE.1@riverside.invalid>"
        assert mail["Auto-Submitted"] == "auto-generated"
        body = mail.get_payload()
        assert "2023-11-14 22:13 UTC" in body
        assert "http://desk.test/console" in body


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_over_tls_with_the_sites_own_authority_and_a_login(
    authority: SiteAuthority, tmp_path: Path, security: str
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{LOGIN[1]}\n")
    async with mail_server(tls=authority.server, implicit=security == "tls", login=True) as server:
        good = smtp(
            server.port, security, ca_file=authority.ca_file, username=LOGIN[0], password_file=password
        )
        await MailCarrier(good).send(NOTICE)
        assert len(server.mails) == 1
        password.write_text("wrong")
        with pytest.raises(DeliveryFailed, match="535"):
            await MailCarrier(good).send(NOTICE)


@pytest.mark.proves("local-network")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_server_of_another_authority_gets_nothing(
    authority: SiteAuthority, tmp_path: Path, security: str
) -> None:
    other = site_authority(tmp_path / "other")
    async with mail_server(tls=authority.server, implicit=security == "tls") as server:
        with pytest.raises(DeliveryFailed):
            await MailCarrier(smtp(server.port, security, ca_file=other.ca_file)).send(NOTICE)
        assert server.mails == []


async def test_a_mail_server_that_offers_no_tls_gets_nothing(authority: SiteAuthority) -> None:
    async with mail_server() as server:
        with pytest.raises(DeliveryFailed):
            await MailCarrier(smtp(server.port, "starttls", ca_file=authority.ca_file)).send(NOTICE)
        assert server.mails == []


async def test_a_mail_that_is_refused_or_finds_nobody_is_a_failure() -> None:
    async with mail_server() as server:
        server.answer = "451 not now"
        with pytest.raises(DeliveryFailed, match="451"):
            await MailCarrier(smtp(server.port)).send(NOTICE)
    with pytest.raises(PosternError) as away:
        await MailCarrier(smtp(server.port)).send(NOTICE)
    assert away.value.code == "not_reachable"


# --- webhook ---


def hook(url: str, secret_file: Path, ca_file: Path | None = None) -> WebhookCarrier:
    return WebhookCarrier(WebhookSection(url=url, secret_file=secret_file, ca_file=ca_file))


@pytest.mark.parametrize("secure", [False, True])
async def test_a_webhook_is_signed_and_says_no_more_than_a_mail(
    authority: SiteAuthority, secret_file: Path, secure: bool
) -> None:
    async with receiver(authority.server if secure else None) as server:
        carrier = hook(server.url, secret_file, authority.ca_file)
        await carrier.send(NOTICE)
        ((message_id, body),) = server.got
        assert (message_id, carrier.size(NOTICE)) == ("K7ACDE.1", len(server.raw[0]))
        data = {"ticket": "K7ACDE", "site": "Riverside Clinic", "console_url": "http://desk.test/console"}
        assert body == {"type": "handoff.requested", "timestamp": "2023-11-14T22:13:20+00:00", "data": data}


@pytest.mark.proves("local-network")
async def test_a_webhook_of_another_authority_or_another_secret_gets_nothing(
    authority: SiteAuthority, secret_file: Path, tmp_path: Path
) -> None:
    other = site_authority(tmp_path / "other")
    async with receiver(authority.server) as server:
        with pytest.raises(DeliveryFailed):
            await hook(server.url, secret_file, other.ca_file).send(NOTICE)
        secret_file.write_text(SECRET_TEXT.replace("M", "N"))
        with pytest.raises(DeliveryFailed, match="401"):
            await hook(server.url, secret_file, authority.ca_file).send(NOTICE)
        assert server.got == []


@pytest.mark.parametrize("status", [302, 307, 404, 410, 500])
async def test_anything_but_a_success_is_a_failure_and_no_redirect_is_followed(
    secret_file: Path, status: int
) -> None:
    async with receiver() as server, receiver() as elsewhere:
        server.status, server.location = status, elsewhere.url
        with pytest.raises(DeliveryFailed, match=str(status)):
            await hook(server.url, secret_file).send(NOTICE)
        assert elsewhere.got == []


# --- inside only ---


@pytest.mark.proves("local-network")
@pytest.mark.parametrize("address", ["8.8.8.8", "169.254.169.254", "::ffff:8.8.8.8"])
async def test_a_name_that_leads_outside_is_refused_before_a_connection(
    monkeypatch: pytest.MonkeyPatch, secret_file: Path, authority: SiteAuthority, address: str
) -> None:
    async def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    async def connect(*_: object) -> None:
        raise AssertionError("a connection was tried")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    monkeypatch.setattr(loop, "sock_connect", connect)
    monkeypatch.setattr(loop, "create_connection", connect)
    mail = smtp(25, "starttls", host="mail.clinic.test", ca_file=authority.ca_file)
    webhook = hook("https://hook.clinic.test/tickets", secret_file, authority.ca_file)
    for carrier in (MailCarrier(mail), webhook):
        with pytest.raises(NotLocal):
            await carrier.send(NOTICE)


async def test_the_address_that_was_judged_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch, secret_file: Path
) -> None:
    """A name server that answers differently the second time changes nothing."""
    asked = []

    async def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "8.8.8.8"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async with receiver() as server:
        carrier = hook(server.url, secret_file)
        carrier._url = server.url.replace("127.0.0.1", "hook.clinic.test")
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        await carrier.send(NOTICE)
        assert (len(server.got), asked) == (1, ["hook.clinic.test"])


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whsec_" + "A" * 100])
def test_a_secret_that_is_none_is_named_at_the_start(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "secret"
    path.write_text(secret)
    with pytest.raises(ConfigError, match="secret_file"):
        hook("http://127.0.0.1/", path)
    with pytest.raises(ConfigError, match="secret_file"):
        hook("http://127.0.0.1/", tmp_path / "none")


# --- the queue ---


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "site", HandoffSection(smtp=smtp(25))) as made:
        yield made


class Broken:
    """A carrier that fails so often, then works."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[Notice] = []
        self.host = "mail.clinic.test"

    def size(self, notice: Notice) -> int:
        return len(notice.ticket)

    async def send(self, notice: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryFailed("away")
        self.sent.append(notice)


def notifier(desk: Rig, carrier: Carrier) -> Notifier:
    config = Config(site=SiteSection(name="Clinic", id="clinic"))
    return Notifier(config, desk.store, {Channel.MAIL: carrier})


async def a_ticket(desk: Rig) -> str:
    session = await desk.arrive()
    return (await desk.handoffs.request(session, await desk.turn(session))).number


async def state(desk: Rig) -> tuple[str, int, int]:
    query = "SELECT state, attempts, due_ms FROM notifications"
    row: tuple[str, int, int] = await desk.store.read(lambda db: db.execute(query).fetchone())
    return row


async def test_a_failure_waits_longer_each_time_and_goes_out_under_the_same_identifier(desk: Rig) -> None:
    carrier = Broken(failures=2)
    sending = notifier(desk, carrier)
    number = await a_ticket(desk)
    began_ms = now_ms()
    await sending.deliver(began_ms)
    assert sending.last_errors == {"mail": "delivery_failed"}
    status, attempts, due_ms = await state(desk)
    assert (status, attempts) == ("pending", 1)
    assert due_ms >= began_ms + RETRY_FIRST_MS
    await sending.deliver(due_ms - 1)
    assert (await state(desk))[1] == 1
    await sending.deliver(due_ms)
    assert (await state(desk))[1] == 2
    await sending.deliver((await state(desk))[2])
    assert (await state(desk))[0] == "sent"
    assert ([n.ticket for n in carrier.sent], sending.last_errors) == ([number], {})
    await sending.deliver(began_ms + RETRY_LAST_MS * 2)
    assert len(carrier.sent) == 1


class Watching(Broken):
    """One that looks at what is written down while it is told."""

    def __init__(self, desk: Rig, session: str) -> None:
        super().__init__(failures=1)
        self.desk, self.session = desk, session
        self.seen: list[str] = []

    async def send(self, notice: Notice) -> None:
        self.seen += [one.outcome for one in await noted(self.desk, self.session)]
        await super().send(notice)


async def noted(desk: Rig, session: str) -> list[LanUse]:
    return await desk.store.read(lambda db: lan_uses.of_session(db, session))


async def test_each_try_is_written_down_for_the_conversations_receipt_before_the_first_byte(
    desk: Rig,
) -> None:
    session = await desk.arrive()
    await desk.handoffs.request(session, await desk.turn(session))
    carrier = Watching(desk, session.id)
    sending = notifier(desk, carrier)
    await sending.deliver(now_ms())
    await sending.deliver((await state(desk))[2])
    assert carrier.seen == ["begun", "delivery_failed", "begun"]
    told = [(one.service, one.host, one.bytes, one.outcome) for one in await noted(desk, session.id)]
    assert told == [("mail", "mail.clinic.test", 6, end) for end in ("delivery_failed", "whole")]
    assert await noted(desk, "") == []


async def test_what_cannot_be_written_down_is_not_sent(desk: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise StoreBusy

    carrier = Broken(failures=0)
    await a_ticket(desk)
    monkeypatch.setattr(lan_uses, "begin", full)
    with pytest.raises(StoreBusy):
        await notifier(desk, carrier).deliver(now_ms())
    assert carrier.sent == []


class CutOff(Broken):
    """The node dies after the other side took it, before that was kept."""

    async def send(self, notice: Notice) -> None:
        await super().send(notice)
        if len(self.sent) == 1:
            raise asyncio.CancelledError


async def test_what_was_taken_but_not_kept_goes_out_again_as_the_same(desk: Rig) -> None:
    carrier = CutOff(failures=0)
    await a_ticket(desk)
    with pytest.raises(asyncio.CancelledError):
        await notifier(desk, carrier).deliver(now_ms())
    await notifier(desk, carrier).deliver(now_ms())
    assert len(carrier.sent) == 2
    assert len({notice.id for notice in carrier.sent}) == 1
    assert (await state(desk))[0] == "sent"


async def test_it_is_given_up_in_the_end_and_staff_see_that(desk: Rig) -> None:
    sending = notifier(desk, Broken(failures=ATTEMPTS_MAX + 1))
    number = await a_ticket(desk)
    await desk.store.write(lambda db: db.execute("UPDATE notifications SET attempts = ?", [ATTEMPTS_MAX - 2]))
    await sending.deliver(now_ms() + RETRY_LAST_MS)
    assert (await state(desk))[0] == "pending"
    await sending.deliver(now_ms() + RETRY_LAST_MS * 2)
    assert (await state(desk))[0] == "given up"
    assert (await desk.inbox.show(number, "Anna")).entry.told == {"mail": "given up"}
    assert await desk.store.read(notifications.counts) == {"mail": {"given up": 1}}


async def test_nobody_is_told_of_what_was_taken_or_taken_back(desk: Rig) -> None:
    carrier = Broken(failures=0)
    taken = await a_ticket(desk)
    await desk.inbox.take(taken, "Anna")
    session = await desk.arrive()
    turn = await desk.turn(session)
    await desk.handoffs.request(session, turn)
    await desk.handoffs.withdraw(session, turn)
    await notifier(desk, carrier).deliver(now_ms())
    assert carrier.sent == []


async def test_a_clock_that_was_set_back_delays_nothing_beyond_the_longest_wait(desk: Rig) -> None:
    carrier = Broken(failures=0)
    await a_ticket(desk)
    await notifier(desk, carrier).deliver(now_ms() - 86_400_000)
    assert len(carrier.sent) == 1


def test_waits_are_bounded() -> None:
    waits = [notifications.wait_ms(n) for n in range(1, ATTEMPTS_MAX)]
    assert waits[0] == RETRY_FIRST_MS
    assert max(wait or 0 for wait in waits) == RETRY_LAST_MS
    assert notifications.wait_ms(ATTEMPTS_MAX) is None
    # As long as a ticket lives by default, at least.
    assert sum(wait or 0 for wait in waits) >= 23 * 3600 * 1000


# --- the real node ---


async def _until(condition: Callable[[], bool], node: RunningNode) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            assert node.process.poll() is None
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_a_ticket_reaches_staff_though_the_node_was_killed_and_nobody_answered_at_first(
    clinic: Path, secret_file: Path
) -> None:
    ports = free_ports(2)
    (clinic / "site.toml").write_text(
        (clinic / "site.toml").read_text()
        + f'\n[handoff.smtp]\nhost = "127.0.0.1"\nport = {ports[0]}\nsecurity = "none"\nrecipients = ["desk@c.test"]\n'
        + f'\n[handoff.webhook]\nurl = "http://127.0.0.1:{ports[1]}/tickets"\nsecret_file = "{secret_file}"\n'
    )
    with running(clinic) as node:
        async with Customer.at(node.url) as customer:
            answer = await customer.ask(f"{UNKNOWN} {CANARY}")
            _, made = await customer.send("POST", f"{customer.turns}/{answer['turn_id']}/handoff")
        node.kill("node")
        async with mail_server(port=ports[0]) as mail, receiver(port=ports[1]) as webhook:
            await _until(lambda: bool(mail.mails and webhook.got), node)
            assert made["ticket"] in mail.mails[0]["Subject"]
            assert webhook.got[0][1]["data"]["ticket"] == made["ticket"]
            # Once more or not: never under another identifier.
            assert len({message_id for message_id, _ in webhook.got}) == 1
            assert len({message["Message-ID"] for message in mail.mails}) == 1
            for told in (*(m.as_bytes() for m in mail.mails), *webhook.raw):
                assert not [
                    word for word in (CANARY, "acupuncture", QUESTION, ANSWER) if word.encode() in told
                ]

            async def told() -> dict[str, str]:
                (entry,) = await command("inbox", "list", "--site", str(clinic), "--json")
                return dict(entry["told"])

            async with asyncio.timeout(WAIT_S):
                while await told() != {"mail": "sent", "webhook": "sent"}:
                    await asyncio.sleep(0.05)
        assert carriers_of(Config(site=SiteSection(name="x", id="x"))) == {}
