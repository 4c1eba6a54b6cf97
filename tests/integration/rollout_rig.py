"""What whole rollouts are tested with: a control plane with signed packages, real nodes, and people who ask them."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from edge.config import site_paths
from edge.web import admin
from models.catalog import models_dir
from tests.integration.sync.rig import ControlPlaneProcess
from tests.model_files import placed
from tests.projected_encoder import NAME
from tests.running import Customer, command

POLL_S = 1
"""Between looks at what takes minutes: each costs some of a core that the gates want."""

ROOT = Path(__file__).parents[2]
PROGRAMS = (("edge", "edge"), ("core", "core"), ("models", "models"), ("postern", "protos/postern"))

PASSWORD = "correct horse battery staple"
QUESTION, DOCUMENT = "When are you open on Saturday?", "opening-hours.md"
ASK_EVERY_S, LOOK_S = 0.25, 0.05


class Publisher:
    """Who signs packages, with the organisation's keys in `folder`."""

    def __init__(self, cloud: ControlPlaneProcess, folder: Path) -> None:
        self._cloud = cloud
        passphrase = folder / "passphrase"
        passphrase.write_text(PASSWORD + "\n")
        self._signed = ("--vendor-keys", str(folder / "keys"), "--passphrase-file", str(passphrase))

    async def begin(self) -> None:
        """Make the registry."""
        await self._cloud.command("registry", "init", *self._signed)

    async def publish(self, kind: str, name: str, version: str, folder: Path) -> str:
        """The target of what is published."""
        words = ("--name", name, "--version", version, str(folder))
        return str((await self._cloud.command(kind, "publish", *self._signed, *words))["target"])


def fill(folder: Path, version: str, *, compiled: bool = True) -> None:
    """The programs of this tree, as another version. `compiled`: with what Python has made of them, which is young."""
    ignore = None if compiled else shutil.ignore_patterns("__pycache__")
    for package, source in PROGRAMS:
        shutil.copytree(ROOT / source, folder / package, ignore=ignore)
    with (folder / "core" / "version.py").open("a") as text:
        text.write(f'\nVERSION = "{version}"\n')


async def begun(cloud: ControlPlaneProcess, target: str, *words: str) -> str:
    """The id of a rollout to all nodes at once, which nobody else needs to agree to."""
    made = await cloud.command("rollout", "create", target, "--waves", "100", "--soak", "0", *words)
    assert made["state"] in {"scheduled", "running"}, made
    return str(made["id"])


async def enrolled(cloud: ControlPlaneProcess, site: Path, endpoint: str = "") -> str:
    """The id of the node that `site` is now. `endpoint`: of enrolment, where it is not the control plane's own."""
    code = await cloud.new_code()
    words = ("--site", str(site), "--cloud", endpoint or cloud.enrolment, "--code", code, "--json")
    return str((await command("enroll", *words))["node_id"])


def own_models(folder: Path) -> Path:
    """The models of a site alone: two machines do not share a disk, and an update changes what is there."""
    ignore = shutil.ignore_patterns("wheels", ".lock", NAME)
    return Path(shutil.copytree(models_dir(), folder, copy_function=placed, ignore=ignore))


async def until_state(cloud: ControlPlaneProcess, rollout: str, state: str) -> Any:
    """Wait for the end of a rollout, which must be that one."""
    while True:
        shown = await cloud.rollout(rollout)
        if shown["rollout"]["state"] not in ("scheduled", "running"):
            assert shown["rollout"]["state"] == state, shown
            return shown
        await asyncio.sleep(POLL_S)


async def until_gone_back(cloud: ControlPlaneProcess, rollout: str) -> str:
    """Why its one node went back by itself, for which the rollout has stopped."""
    while True:
        (place,) = (await until_state(cloud, rollout, "stopped"))["nodes"]
        if place["status"] == "rolled_back":
            return str(place["reason"])
        assert place["status"] == "failed", place  # as it stands while it goes back
        await asyncio.sleep(POLL_S)


async def until_place(cloud: ControlPlaneProcess, rollout: str, status: str) -> Any:
    """Wait for a node of it that stands there."""
    while True:
        shown = await cloud.rollout(rollout)
        found = [place for place in shown["nodes"] if place["status"] == status]
        if found:
            return found[0]
        assert not {"failed", "rolled_back"} & set(places(shown)), shown
        await asyncio.sleep(POLL_S)


def places(shown: Any) -> list[str]:
    """Where its nodes stand."""
    return sorted(place["status"] for place in shown["nodes"])


async def updates(site: Path) -> Any:
    """What the site says of its updates, the newest first."""
    return await command("updates", "show", "--site", str(site), "--json")


async def told(site: Path) -> Any:
    """`postern status`, without a process for it."""
    return await admin.call(site_paths(site).admin_socket, "status", {}, lambda _: None)


async def until_step(site: Path, *steps: str) -> None:
    """Wait until its one update is at one of these; "": none is under way any more."""
    while not {one["step"] for one in (await told(site))["updates"] or ({"step": ""},)} & set(steps):
        await asyncio.sleep(LOOK_S)


@dataclass
class Asking:
    """What people got who asked all the while."""

    answers: int = 0
    tries: int = 0
    longest_s: float = 0.0
    """From a question to its answer, with all that was tried anew in between."""
    wrong: list[Any] = field(default_factory=list)


@asynccontextmanager
async def people_ask(url: str) -> AsyncIterator[Asking]:
    """One after the other, each as somebody new; who gets nothing asks again. Wrong is what quotes another document."""
    asking = Asking()

    async def ask() -> None:
        while True:
            began_s = time.monotonic()
            while (answer := await _answer(url, asking)) is None:
                await asyncio.sleep(ASK_EVERY_S)
            asking.answers += 1
            asking.longest_s = max(asking.longest_s, time.monotonic() - began_s)
            if documents(answer) != {DOCUMENT}:
                asking.wrong.append(answer)
            await asyncio.sleep(ASK_EVERY_S)

    task = asyncio.create_task(ask())
    try:
        yield asking
    finally:
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


def documents(answer: Any) -> set[str]:
    """Which are quoted."""
    return {citation["doc"] for citation in answer.get("citations", ())}


async def _answer(url: str, asking: Asking) -> Any:
    asking.tries += 1
    with suppress(aiohttp.ClientError, ConnectionError):
        async with Customer.at(url) as customer:
            return await customer.ask(QUESTION)
    return None


async def more_answers(asking: Asking, more: int = 3) -> None:
    """Wait for people who begin to ask from now on."""
    wanted = asking.answers + more + 1
    while asking.answers < wanted:
        await asyncio.sleep(ASK_EVERY_S)
