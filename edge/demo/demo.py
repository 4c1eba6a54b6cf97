"""`postern demo`: a control plane and an edge node with a sample site on loopback, as two real programs.

The first start makes both (keys, documents, certificate); later ones only start them. The node and the control plane
are run by their own command lines; nothing here reaches into either.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar

from core.errors import ConfigError
from core.files import private_folder, write_atomic
from core.supervision import Child, Supervisor, stop_on_signals
from edge.app import open_site, site_operations
from edge.chat.routing import Route
from edge.config import SitePaths, load_config, site_paths
from edge.control import operate
from edge.demo import two_nodes
from edge.demo.chaos import Chaos
from edge.demo.customers import Customers
from edge.demo.programs import DemoFailed, Program, call, free_port
from edge.site_setup import TEMPLATES, create_site, documents_by_audience
from edge.sync.enrolment import enrol
from edge.web.admin import OnProgress, Operation, Progress

# Counts of the demo reach the fleet page while somebody watches; only a loopback node may do so.
DEMO_BUCKET_S = 60
KIOSK_ID = "lobby"
DEFAULT_TEMPLATE = "clinic"


@dataclass(frozen=True)
class Demo:
    """One demo in the folder `state`, on two ports. A demo stays the sample site that it was made from.

    `chaos`: with a second node, and with what goes wrong in `story`.
    """

    state: Path
    http_port: int
    cloud_http_port: int
    template: str | None
    chaos: bool = False

    async def run(self) -> None:
        """Until SIGINT or SIGTERM."""
        stop = stop_on_signals()
        site, sibling = site_paths(self.state / "site"), site_paths(self.state / "sibling")
        sites = [site, sibling] if self.chaos else [site]
        cloud = self.state / "cloud"
        private_folder(self.state)
        for paths in sites:
            await self._prepare_site(paths, self.http_port if paths is site else 0)
        if self.chaos:
            two_nodes.pair(site, sibling)
        await self._prepare_cloud(cloud, load_config(site).site.name, enrolled=_enrolment(site).exists())
        with _one_cause():
            await self._serve(sites, cloud, stop)

    async def _serve(self, sites: Sequence[SitePaths], cloud: Path, stop: asyncio.Event) -> None:
        log = self.state / "demo.log"
        console = Console(stderr=True, highlight=False)
        site = sites[0]
        async with asyncio.TaskGroup() as group:
            control_plane = Program("cloud", _cloud_command("run", cloud), log, stop)
            group.create_task(control_plane.run(), name="cloud")
            cloud_ready = await control_plane.ready()
            for paths in sites:
                if not _enrolment(paths).exists():
                    await self._enrol(paths, cloud, cloud_ready)
            # The code of the last start does not work any more; its file must not be taken for the new one.
            site.claim_code.unlink(missing_ok=True)
            nodes = [Program(paths.root.name, _node_command(paths), log, stop) for paths in sites]
            for node in nodes:
                group.create_task(node.run(), name="node")
            urls = [(await node.ready())["url"] for node in nodes]
            kiosk = Child(
                "kiosk",
                [sys.executable, "-m", "edge.fabric.kiosk", "--site", str(site.root), "--id", KIOSK_ID],
                log=log,
            )
            group.create_task(Supervisor([kiosk], stop).run(), name="kiosk")
            await self._say(console.print, sites, urls, cloud, cloud_ready["url"])
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            if self.chaos:
                programs = {"cloud": control_plane, "node": nodes[0]}
                customers = Customers(urls, json.loads(self._questions.read_bytes()))
                await _until(stop, Chaos(programs, customers, console).play())
                if not stop.is_set():
                    console.print(
                        "\n  That was all. Everything runs on; what was started anew has a new claim code."
                    )
                    await self._say(console.print, sites, urls, cloud, cloud_ready["url"])

    async def _say(
        self,
        say: Callable[[str], None],
        sites: Sequence[SitePaths],
        urls: Sequence[str],
        cloud: Path,
        cloud_url: str,
    ) -> None:
        """Where to look."""
        site = sites[0]
        say(f"\n  Kiosk page      {urls[0]}/\n  Site console    {urls[0]}/console/")
        _say_claim(say, await _console_claim(site))
        if self.chaos:
            say(f"  Sibling         {urls[1]}/")
        say(f"  Fleet console   {cloud_url}")
        _say_claim(say, cloud / "claim-code")
        if site.recovery_key.exists():
            say(f"  Recovery key    {site.recovery_key}")
        say(
            f"  Site folder     {site.root}\n  Log             {self.state / 'demo.log'}\n  Stop            Ctrl-C\n"
        )

    async def _prepare_cloud(self, folder: Path, organisation: str, *, enrolled: bool) -> None:
        settings = folder / "cloud.toml"
        if not settings.exists():
            await call(_cloud_command("init", folder, "--organisation", organisation))
            _write_answers(settings)
        if not enrolled:
            # Nodes remember these two from their enrolment on: chosen anew until then.
            for number, section in enumerate(("sync", "enrolment"), 1):
                _set_port(settings, section, self.cloud_http_port and self.cloud_http_port + number)
        _set_port(settings, "console", self.cloud_http_port)

    async def _prepare_site(self, paths: SitePaths, http_port: int) -> None:
        """`http_port` 0: one that is free now, and this one from then on."""
        template = self.template or DEFAULT_TEMPLATE
        if paths.config.exists():
            self.check_template()
        else:
            create_site(paths, template, http_port=http_port, bucket_s=DEMO_BUCKET_S)
            if self.chaos:
                two_nodes.permit_overflow(paths, TEMPLATES / "policies" / f"{template}.toml")
        _set_port(paths.config, "http", http_port)
        if not _enrolment(paths).exists():
            await self._fill_site(paths)

    async def _fill_site(self, paths: SitePaths) -> None:
        """Once, before the first start: later ones are quick, and leave alone what staff changed or removed since."""
        folders = documents_by_audience(paths)
        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Reading documents", total=None)

            def show(progress: Progress) -> None:
                bar.update(task, completed=progress.done, total=progress.total, description=progress.what)

            async with open_site(paths) as site:
                operations = site_operations(site).table()
                for folder, audience in folders:
                    await operations["kb.add"]({"paths": [str(folder)], "audience": audience.value}, show)
                if paths.intent_examples.exists() and not await site.intents.history():
                    await operations["intents.train"]({"path": str(paths.intent_examples)}, show)
                if self.chaos and not self._questions.exists():
                    await self._choose_questions(paths, operations["ask"], show)

    async def _choose_questions(self, paths: SitePaths, ask: Operation, show: OnProgress) -> None:
        """What invented customers ask: of the site's golden questions those that its documents answer."""
        lines = paths.golden_questions.read_text(encoding="utf-8").splitlines()
        answered: list[str] = []
        for number, line in enumerate(lines):
            show(Progress(number, len(lines), "Choosing questions"))
            question = json.loads(line)["question"]
            answer: Any = await ask({"text": question}, show)
            if answer["route"] == Route.ANSWER:
                answered.append(question)
        write_atomic(self._questions, json.dumps(answered).encode())

    @property
    def _questions(self) -> Path:
        return self.state / "questions.json"

    def check_template(self) -> None:
        """Raises ConfigError when a template is asked for that the demo in this folder was not made from."""
        site = load_config(site_paths(self.state / "site")).site
        if self.template and site.id != load_config(site_paths(TEMPLATES / self.template)).site.id:
            raise ConfigError(
                f"The demo in {self.state} is {site.name}, not the template {self.template}.",
                remedy="Leave out --template, or choose another folder with --state.",
            )

    async def _enrol(self, paths: SitePaths, cloud: Path, ready: dict[str, str]) -> None:
        name = load_config(paths).site.name
        made = json.loads(await call(_cloud_command("enroll-code new", cloud, "--site", name, "--json")))
        await enrol(paths, ready["enrolment"], made["code"])


async def _until(stop: asyncio.Event, story: Coroutine[None, None, None]) -> None:
    """Play until the story is over, or the demo is stopped."""
    playing = asyncio.create_task(story, name="story")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    both: set[asyncio.Task[Any]] = {playing, stopping}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in both:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await playing


def _set_port(settings: Path, section: str, port: int) -> None:
    """Give a section of a TOML file its port; 0 takes one that is free now and keeps it."""
    text = settings.read_text(encoding="utf-8")
    changed = re.sub(rf"(?ms)(^\[{section}\]$.*?^port = )\d+", rf"\g<1>{port or free_port()}", text, count=1)
    write_atomic(settings, changed.encode())


def _write_answers(settings: Path) -> None:
    """Let the control plane answer in a node's place, with this machine's model."""
    text = settings.read_text(encoding="utf-8")
    changed = re.sub(r"(?ms)(^\[overflow\]$.*?^enabled = )false", r"\g<1>true", text, count=1)
    write_atomic(settings, changed.encode())


@contextmanager
def _one_cause() -> Iterator[None]:
    """One error in the place of a group: what the demo itself says, else the first of its programs' errors."""
    try:
        yield
    except ExceptionGroup as failed:
        own = failed.subgroup(DemoFailed)
        cause: Exception = own or failed
        while isinstance(cause, ExceptionGroup):
            cause = cause.exceptions[0]
        raise cause from None


def _enrolment(paths: SitePaths) -> Path:
    """What the courier keeps of the control plane, from the site's enrolment on."""
    return paths.courier / "enrolment.json"


async def _console_claim(paths: SitePaths) -> Path:
    """The file of the site console's claim code, which the node writes before it opens the admin socket."""
    await operate(paths, "operators.list", {}, lambda _: None)
    return paths.claim_code


def _say_claim(say: Callable[[str], None], file: Path) -> None:
    if file.exists():
        say(f"    claim code    {file.read_text().strip()}")


def _node_command(paths: SitePaths) -> list[str]:
    return [sys.executable, "-m", "edge.cli", "run", "--site", str(paths.root)]


def _cloud_command(verb: str, folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "cloud_sync.cli", *verb.split(), "--dir", str(folder), *more]
