"""`postern demo`: a control plane and an edge node with a sample site on loopback, as two real programs.

The first start makes both (keys, documents, certificate); later ones only start them. The node and the control plane
are run by their own command lines; nothing here reaches into either.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar

from core.errors import ConfigError, PosternError
from core.files import private_folder, write_atomic
from core.supervision import Child, Supervisor, stop_on_signals
from edge.app import open_site, site_operations
from edge.config import SitePaths, load_config, site_paths
from edge.control import operate
from edge.site_setup import TEMPLATES, create_site, documents_by_audience
from edge.sync.enrolment import enrol
from edge.web.admin import Progress

# Counts of the demo reach the fleet page while somebody watches; only a loopback node may do so.
DEMO_BUCKET_S = 60
READY_TIMEOUT_S = 60.0
KIOSK_ID = "lobby"
DEFAULT_TEMPLATE = "clinic"


class DemoFailed(PosternError):
    """A program of the demo did not start."""

    code = "demo_failed"
    title = "The demo could not start"
    remedy = "Read the lines above; another program may hold the port (--http, --cloud-http)."


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
            control_plane = _Program("cloud", _cloud_command("run", cloud), log)
            group.create_task(Supervisor([control_plane.child], stop).run(), name="cloud")
            cloud_ready = await _ready_or_stop(control_plane, stop)
            if not _enrolment(paths).exists():
                await self._enrol(paths, cloud, cloud_ready)
            # The code of the last start does not work any more; its file must not be taken for the new one.
            paths.claim_code.unlink(missing_ok=True)
            node = _Program("node", [sys.executable, "-m", "edge.cli", "run", "--site", str(paths.root)], log)
            group.create_task(Supervisor([node.child], stop).run(), name="node")
            node_ready = await _ready_or_stop(node, stop)
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
            await _call(_cloud_command("init", folder, "--organisation", organisation))
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
        made = json.loads(await _call(_cloud_command("enroll-code new", cloud, "--site", name, "--json")))
        await enrol(paths, ready["enrolment"], made["code"])


def _set_port(settings: Path, section: str, port: int) -> None:
    """Give a section of a TOML file its port; 0 takes one that is free now and keeps it."""
    text = settings.read_text(encoding="utf-8")
    changed = re.sub(rf"(?ms)(^\[{section}\]$.*?^port = )\d+", rf"\g<1>{port or free_port()}", text, count=1)
    write_atomic(settings, changed.encode())


def free_port() -> int:
    """A TCP port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Program:
    """A supervised program whose ready event is awaited."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.ready: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.child = Child(name, command, self._on_line, log)

    def _on_line(self, line: str) -> None:
        if self.ready.done():
            return
        try:
            event: Any = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict) and event.get("event") == "ready":
            self.ready.set_result(event)


async def _ready_or_stop(program: _Program, stop: asyncio.Event) -> dict[str, str]:
    """The program's ready event. Raises DemoFailed when it does not come, or the demo is stopped before it does."""
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    both: set[asyncio.Future[Any]] = {program.ready, stopping}
    await asyncio.wait(both, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not program.ready.done():
        stopped = stop.is_set()
        stop.set()
        ended = "ended before it was ready" if stopped else f"was not ready within {READY_TIMEOUT_S:.0f} s"
        raise DemoFailed(
            f"The {program.child.name} {ended}.",
            remedy=f"Read the end of {program.child.log}. Where another program holds a port, choose others with "
            "--http and --cloud-http; a new demo also takes the two ports after --cloud-http.",
        )
    return program.ready.result()


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


def _cloud_command(verb: str, folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "cloud_sync.cli", *verb.split(), "--dir", str(folder), *more]


async def _call(command: Sequence[str]) -> str:
    """Run a command to its end; its standard output. Raises DemoFailed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise DemoFailed(f"{' '.join(command[2:5])} ended with status {process.returncode}.")
    return output.decode()
