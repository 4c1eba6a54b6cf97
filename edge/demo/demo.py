"""`postern demo`: a control plane and an edge node with a sample site on loopback, as two real programs.

The first start makes both (keys, documents, certificate); later ones only start them. The node and the control plane
are run by their own command lines; nothing here reaches into either.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar

from core.errors import ConfigError
from core.files import private_folder, write_atomic
from core.supervision import Child, Supervisor, stop_on_signals
from edge.app import open_site, site_operations
from edge.config import SitePaths, load_config, site_paths
from edge.control import operate
from edge.demo.programs import DemoFailed, Program, call, free_port
from edge.site_setup import TEMPLATES, create_site, documents_by_audience
from edge.sync.enrolment import enrol
from edge.web.admin import Progress

# Counts of the demo reach the fleet page while somebody watches; only a loopback node may do so.
DEMO_BUCKET_S = 60
KIOSK_ID = "lobby"
DEFAULT_TEMPLATE = "clinic"


@dataclass(frozen=True)
class Demo:
    """One demo in the folder `state`, on two ports. A demo stays the sample site that it was made from."""

    state: Path
    http_port: int
    cloud_http_port: int
    template: str | None

    async def run(self) -> None:
        """Until SIGINT or SIGTERM."""
        stop = stop_on_signals()
        paths = site_paths(self.state / "site")
        cloud = self.state / "cloud"
        log = self.state / "demo.log"
        private_folder(self.state)
        await self._prepare_site(paths)
        await self._prepare_cloud(cloud, load_config(paths).site.name, enrolled=_enrolment(paths).exists())
        with _one_cause():
            await self._serve(paths, cloud, log, stop)

    async def _serve(self, paths: SitePaths, cloud: Path, log: Path, stop: asyncio.Event) -> None:
        say = Console(stderr=True, highlight=False).print
        async with asyncio.TaskGroup() as group:
            control_plane = Program("cloud", _cloud_command("run", cloud), log, stop)
            group.create_task(control_plane.run(), name="cloud")
            cloud_ready = await control_plane.ready()
            if not _enrolment(paths).exists():
                await self._enrol(paths, cloud, cloud_ready)
            # The code of the last start does not work any more; its file must not be taken for the new one.
            paths.claim_code.unlink(missing_ok=True)
            node = Program("node", _node_command(paths), log, stop)
            group.create_task(node.run(), name="node")
            node_ready = await node.ready()
            kiosk = Child(
                "kiosk",
                [sys.executable, "-m", "edge.fabric.kiosk", "--site", str(paths.root), "--id", KIOSK_ID],
                log=log,
            )
            group.create_task(Supervisor([kiosk], stop).run(), name="kiosk")
            say(f"\n  Kiosk page      {node_ready['url']}/\n  Site console    {node_ready['url']}/console/")
            _say_claim(say, await _console_claim(paths))
            say(f"  Fleet console   {cloud_ready['url']}")
            _say_claim(say, cloud / "claim-code")
            if paths.recovery_key.exists():
                say(f"  Recovery key    {paths.recovery_key}")
            say(f"  Site folder     {paths.root}\n  Log             {log}\n  Stop            Ctrl-C\n")
            sys.stdout.write("ready\n")
            sys.stdout.flush()

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

    async def _prepare_site(self, paths: SitePaths) -> None:
        if paths.config.exists():
            self.check_template()
        else:
            template = self.template or DEFAULT_TEMPLATE
            create_site(paths, template, http_port=self.http_port, bucket_s=DEMO_BUCKET_S)
        _set_port(paths.config, "http", self.http_port)
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
