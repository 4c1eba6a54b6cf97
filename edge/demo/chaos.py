"""Plays the story of `postern demo --chaos`: customers come, programs die and come back, each scene is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.demo.customers import Customers, Tally
from edge.demo.programs import Program
from edge.demo.story import STORY, Scene, line

LOOK_S: Final = 0.5
"""Between two looks at how a scene goes."""


class Chaos:
    """The story on a demo that runs."""

    def __init__(self, programs: Mapping[str, Program], customers: Customers, console: Console) -> None:
        """`programs`: by the names that scenes use."""
        self._programs = programs
        self._customers = customers
        self._console = console

    async def play(self) -> None:
        """Every scene once, in order. Raises DemoFailed when a program does not come back."""
        coming = asyncio.create_task(self._customers.come(), name="customers")
        try:
            for scene in STORY:
                await self._scene(scene)
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming

    async def _scene(self, scene: Scene) -> None:
        down = [self._programs[name] for name in scene.down]
        self._customers.rate, self._customers.tally = scene.rate, Tally()
        self._console.print(f"\n  [bold]{scene.name}[/bold]: {scene.says}")
        for program in down:
            program.kill()
        await self._show(scene)
        for program in down:
            program.release()
        self._console.print(f"  {line(scene, self._customers.tally)}")
        for program in down:
            await program.ready()

    async def _show(self, scene: Scene) -> None:
        """Until the scene is over, with figures as they come."""
        columns = (TextColumn("  {task.description}"), BarColumn(24), TimeRemainingColumn(compact=True))
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(scene.name, total=scene.seconds)
            while not bar.finished:
                await asyncio.sleep(LOOK_S)
                tally = self._customers.tally
                said = f"{tally.asked} asked, {tally.answered.total()} answered, p95 {tally.p95_s:.2f} s"
                bar.update(task, advance=LOOK_S, description=said)
