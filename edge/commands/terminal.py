"""What the commands share: the site's option, an operation with a progress bar, results for people or as JSON.

Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edge.commands.output import standard_output

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Site = Annotated[Path, typer.Option("--site", help="The site's folder.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
# Fields that hold a moment since 1970: the name that a person reads, and their units in a second.
MOMENTS = {
    "since": ("since", 1),
    "added_ms": ("added", 1000),
    "looked_ms": ("looked", 1000),
    "written_anew_ms": ("written_anew", 1000),
    "newest_ms": ("newest", 1000),
    "witnessed_s": ("witnessed", 1),
    "compared_ms": ("compared", 1000),
    "certificate_issued": ("certificate_issued", 1),
    "certificate_expires": ("certificate_expires", 1),
}


def operate_on(site: Path, name: str, arguments: dict[str, object]) -> Any:
    """An operation on the site, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    from edge.config import load_config, site_paths
    from edge.control import operate

    paths = site_paths(site)
    load_config(paths)
    console = Console(stderr=True)
    # Elsewhere than on a terminal a bar that is taken away again leaves an empty line.
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None, visible=False)
        return asyncio.run(
            operate(
                paths,
                name,
                arguments,
                lambda p: bar.update(task, completed=p.done, total=p.total, description=p.what, visible=True),
            )
        )


def write(value: object, as_json: bool, text: str, remedy: str | None = None) -> None:
    """A result: `text` for people, or `value` as JSON. `remedy`: where else it is to be had. Raises CannotWrite."""
    with standard_output(remedy):
        sys.stdout.write((json.dumps(value, ensure_ascii=False, indent=2) if as_json else text) + "\n")


def write_each(values: Iterable[T], as_json: bool, line: Callable[[T], str]) -> None:
    """As `write` does a list of dataclasses, each as it comes: none is held. Raises CannotWrite."""
    with standard_output():
        if not as_json:
            for value in values:
                sys.stdout.write(line(value) + "\n")
            return
        between = ""
        sys.stdout.write("[")
        for value in values:
            one = json.dumps(asdict(value), ensure_ascii=False, indent=2)
            sys.stdout.write(between + textwrap.indent("\n" + one, "  "))
            between = ","
        sys.stdout.write("\n]\n" if between else "]\n")


def as_lines(value: dict[str, Any], indent: str = "") -> str:
    """A nested object as lines that a person reads."""
    lines: list[str] = []
    for name, item in value.items():
        if name in MOMENTS:
            name, per_second = MOMENTS[name]
            # 0: there is none, as of a certificate before the site is enrolled.
            item = item and datetime.fromtimestamp(item / per_second).astimezone().isoformat(" ", "seconds")
            item = item or None
        if isinstance(item, dict):
            lines += [f"{indent}{name}:", as_lines(item, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {_in_line(item)}")
    return "\n".join(line for line in lines if line.strip())


def local_time(moment_ms: int) -> str:
    """A moment since 1970 in this machine's own time, as "28 Nov 23:18"."""
    return f"{datetime.fromtimestamp(moment_ms / 1000).astimezone():%d %b %H:%M}"


def _in_line(item: object) -> str:
    """A value in the line of its name; what is not there is left empty."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list | tuple):
        return ", ".join(map(_in_line, item))
    if isinstance(item, dict):
        return " ".join(_in_line(part) for part in item.values())
    return "" if item is None else str(item)
