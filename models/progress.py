"""How a long step tells that it moves. The steps call a `Report`; who shows it, and whether, is not their matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int], None]
"""(what, done, total): `total` 0 means unknown; `done == total` ends the line."""


def silent(what: str, done: int, total: int) -> None:
    """Report to nobody."""


@contextmanager
def on_terminal() -> Iterator[Report]:
    """Bars on stderr (plain lines where that is no terminal)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield report
