"""A node with all that it can be connected to, customers full of canaries at its door, and what came out of each exit.

Customers ask and are answered by the control plane, complain, ask for a person, write to the staff, and send requests
that are refused. Then everything else that leaves is taken: what the courier said about its link, mails, webhooks,
metrics, logs, `postern doctor` and `status`, the audit, the reports, the ledger's export, bodies of refusals.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from core.errors import ExitCode
from tests.bench import harness
from tests.bench.egress_canaries import TURNS, Planter, Prompt
from tests.bench.egress_search import views
from tests.running import Customer, RunningNode, command, running

# A question that the documents answer.
QUESTION = "When is the pharmacy open?"
WAIT_S = 120.0
LOOK_AGAIN_S = 0.2
# Conversations side by side: with one the node's second core has nothing to do; more would only wait for the detector.
AT_ONCE = 4
TOLD_EVERY = 100
PATIENCE_S = 60
# The documents answer few of the questions with canaries: all go to the control plane, whatever was found for them.
MODE = f'mode = "generative"\nfirst_token_deadline_s = {PATIENCE_S}\noverflow_after_s = 1\nevidence_min = 0.0'
# Of the turns, at least: their texts must have been under way to the control plane.
OVERFLOWED_MIN = 0.5
# What is taken, and what is seen of it always where it is looked at; mail and webhook hold the tickets' numbers.
EXITS: dict[str, Sequence[str]] = {
    "link": ("postern-ledger/", "all-minilm-l6-v2"),
    "mail": (),
    "webhook": (),
    "logs": ("courier listens", "staff were told of a ticket"),
    "metrics": ("postern_",),
    "support": ("courier_shares_user",),
    "audit": ("kb.add",),
    "reports": ("conversation",),
    "ledger": ("generate", "postern-ledger/"),
    "error texts": ("problem+json",),
}
# No model of its own: who permits it is answered by the control plane.
MODELS = '\n[models]\nllm = ""\n'


@dataclass
class Staff:
    """The site's own servers, and what reached them."""

    mails: list[bytes] = field(default_factory=list)
    posts: list[bytes] = field(default_factory=list)
    settings: str = ""
    mail_port: int = 0
    webhook_port: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """A mail, with who sends it to whom."""
        assert isinstance(envelope.content, bytes)
        self.mails.append(repr((envelope.mail_from, envelope.rcpt_tos)).encode() + envelope.content)
        return "250 OK"

    async def handle_post(self, request: web.Request) -> web.Response:
        """A webhook, with its headers."""
        head = "".join(f"{name}: {value}\n" for name, value in request.headers.items())
        self.posts.append(f"{request.method} {request.path_qs}\n{head}".encode() + await request.read())
        return web.Response(status=204)


@asynccontextmanager
async def staff_servers(folder: Path) -> AsyncIterator[Staff]:
    """A mail server and a receiver of webhooks on this machine."""
    staff, loop = Staff(), asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(staff, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    application = web.Application()
    application.router.add_post("/tickets", staff.handle_post)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    secret = folder / "webhook.secret"
    secret.write_text("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
    staff.mail_port, staff.webhook_port = mail.sockets[0].getsockname()[1], runner.addresses[0][1]
    staff.settings = (
        "\n[handoff]\nwaiting_max = 10_000\n"  # nobody at the desk takes one: as many as conversations wait
        f'\n[handoff.smtp]\nhost = "127.0.0.1"\nport = {staff.mail_port}\nsecurity = "none"\n'
        f'recipients = ["desk@clinic.test"]\n[handoff.webhook]\nurl = "http://127.0.0.1:{staff.webhook_port}/tickets"\n'
        f'secret_file = "{secret}"\n'
    )
    try:
        yield staff
    finally:
        mail.close()
        await runner.cleanup()


@dataclass
class Ride:
    """What was said, what became of it, and what came out, by exit."""

    prompts: list[Prompt] = field(default_factory=list)
    routes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """What customers did that the node did not take, with its status."""
    tickets: list[str] = field(default_factory=list)
    exits: dict[str, list[bytes]] = field(default_factory=dict)

    def took(self, exit_: str, content: bytes | str) -> None:
        self.exits.setdefault(exit_, []).append(content.encode() if isinstance(content, str) else content)

    def problems(self, overflowed: int) -> list[str]:
        """Why it says little that no canary was found. `overflowed`: requests at the tap meanwhile."""
        turns = self.routes.total()
        found = [
            f"A customer's request was not taken: {said}, {count} times."
            for said, count in self.refused.items()
        ]
        if not turns or overflowed < OVERFLOWED_MIN * turns:
            found.append(f"Only {overflowed} of {turns} turns went to the control plane.")
        for exit_ in EXITS:
            looked_at = b"\n".join(view for blob in self.exits.get(exit_, ()) for view in views(blob))
            missing = [marker for marker in self.markers(exit_) if marker.encode() not in looked_at]
            if missing:
                found.append(f"At {exit_} {', '.join(missing)} was not seen, which is always there.")
        return found

    def markers(self, exit_: str) -> Sequence[str]:
        """Words that are always there, which a search must see."""
        return (self.tickets or ("a ticket",)) if exit_ in ("mail", "webhook") else EXITS[exit_]


async def ride(site: Path, planter: Planter, prompts: int, courier_network: str = "") -> Ride:
    """Run the node on a site that is enrolled, let everybody come, and take what leaves but for what the taps hear.

    `courier_network`: the network namespace that its courier runs in.
    """
    found = Ride()
    async with staff_servers(site.parent) as staff:
        text = (site / "site.toml").read_text().replace('mode = "extractive"', MODE)
        text = text.replace("bucket_s = 3600", "bucket_s = 10")
        (site / "site.toml").write_text(text + MODELS + staff.settings)
        with running(site, measured=True, courier_network=courier_network) as node:
            await _until_open(node)
            await _all_come(node, found, planter, prompts)
            await _drained(node)
            await _take(node, found)
        found.exits["mail"], found.exits["webhook"] = staff.mails, staff.posts
    found.took("logs", (site / "run.log").read_bytes())
    return found


async def _status(node: RunningNode) -> dict[str, Any]:
    told = await command("status", "--site", str(node.site), "--json")
    return dict(told)


async def _until_open(node: RunningNode) -> None:
    async with asyncio.timeout(WAIT_S):
        while not (await _status(node))["overflow"]["ready"]:
            await asyncio.sleep(LOOK_AGAIN_S)


async def _drained(node: RunningNode) -> None:
    """Wait until nothing waits for the control plane."""
    async with asyncio.timeout(WAIT_S):
        while (await _status(node))["sync"]["outbox_rows"]:
            await asyncio.sleep(LOOK_AGAIN_S)


async def _all_come(node: RunningNode, found: Ride, planter: Planter, prompts: int) -> None:
    """So many texts, of conversations that come side by side; within one, each waits for the answer before."""
    firsts = iter(range(0, prompts, TURNS))

    async def talk() -> None:
        for first in firsts:
            await _come(node, found, list(itertools.islice(planter.talk(), prompts - first)))
            if first // TURNS % TOLD_EVERY == 0:
                harness.progress(f"{found.routes.total()} turns, {len(found.prompts)} of {prompts} texts")

    await asyncio.gather(*(talk() for _ in range(AT_ONCE)))


async def _come(node: RunningNode, found: Ride, talk: list[Prompt]) -> None:
    """One conversation, from the notice to its end."""
    async with Customer.at(node.url) as customer:
        _, made = await customer.send("POST", "/api/v1/sessions", {"channel": "kiosk"})
        customer.session_id, customer.token = made["session_id"], made["token"]
        path = f"/api/v1/sessions/{customer.session_id}"
        consent = {"notice_version": made["notice"]["version"], "overflow": True}
        await customer.send("POST", f"{path}/consent", consent)
        turn = ""
        found.prompts += talk
        # What was said before must not go with a question that says nothing of anybody.
        for text in (*(said.text for said in talk), QUESTION):
            status, answer = await customer.send("POST", f"{path}/turns", {"text": text})
            route = answer["route"] if status == 200 else f"status {status}"
            found.routes[route] += 1
            turn = answer.get("turn_id", turn)
        words = talk[-1].text
        opinion = {"useful": False, "reason": words[:200]}
        for method, there, body in (
            ("POST", f"{path}/turns/{turn}/feedback", opinion),
            ("POST", f"{path}/turns/{turn}/handoff", {}),
            ("POST", f"{path}/messages", {"text": words}),
        ):
            status, answer = await customer.send(method, there, body)
            if status // 100 != 2:
                found.refused[f"{there.rpartition('/')[2]}: {status}"] += 1
            elif answer and "ticket" in answer:
                found.tickets.append(answer["ticket"])
        await _be_refused(customer, found, path, words)


async def _be_refused(customer: Customer, found: Ride, path: str, words: str) -> None:
    """Requests that cannot be answered, with canaries wherever a request has room for them."""
    for method, there, body, headers in (
        ("POST", f"{path}/turns", json.dumps({"text": 7, words: words}), {}),
        ("POST", f"{path}/turns", '{"text": "' + words, {}),
        ("POST", f"{path}/turns", json.dumps({"text": words * 100}), {}),
        ("GET", f"/api/v1/sessions/{words}", None, {}),
        ("GET", f"/{words}?q={words}", None, {}),
        ("POST", "/v1/chat/completions", json.dumps({"model": words, "messages": words}), {}),
        ("GET", "/api/v1/sessions", None, {"Authorization": f"Bearer {words}", "User-Agent": words}),
    ):
        headers = {**customer.headers, "Content-Type": "application/json", **headers}
        async with customer._http.request(method, customer.url + there, data=body, headers=headers) as reply:
            found.took("error texts", f"{reply.status} {dict(reply.headers)}".encode() + await reply.read())


async def _take(node: RunningNode, found: Ride) -> None:
    """Everything that somebody may carry out or fetch, and that is no customer's text."""
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/metrics") as reply:
        found.took("metrics", await reply.read())
    out = node.site.parent / "taken"
    out.mkdir()
    site, export = ("--site", str(node.site)), out / "ledger"
    week = datetime.now(UTC).strftime("%G-W%V")
    for exit_, *words in (
        ("support", "doctor", *site),
        ("support", "doctor", "--json", *site),
        ("support", "status", "--json", *site),
        ("audit", "audit", "export", *site),
        ("reports", "privacy", "retention", "--json", *site),
        ("reports", "privacy", "report", "--html", str(out / "privacy.html"), *site),
        ("ledger", "ledger", "show", "--json", *site),
        ("ledger", "ledger", "export", "--out", str(export), *site),
        ("reports", "ledger", "report", str(export), "--week", week, "--html", str(out / "week.html")),
    ):
        found.took(exit_, await asyncio.to_thread(_said, words))
    for path in sorted(out.rglob("*")):
        if path.is_file():
            found.took("ledger" if export in path.parents else "reports", path.read_bytes())


def _said(words: list[str]) -> bytes:
    """What a command writes, also where it has something to tell: `doctor` ends with 1 where something is amiss,
    `ledger report` with 6 where nobody compared with a kernel, as here; 3 is a record that is wrong."""
    done = subprocess.run([sys.executable, "-m", "edge.cli", *words], capture_output=True, check=False)
    fine = (ExitCode.NOT_KNOWN,) if words[:2] == ["ledger", "report"] else (ExitCode.OK, ExitCode.FAILED)
    if done.returncode not in fine:
        raise harness.BenchRefused(
            f"postern {' '.join(words[:2])} ended with {done.returncode}: {done.stderr.decode()[-500:]}"
        )
    return done.stdout + done.stderr
