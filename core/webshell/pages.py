"""Templates and static files: one Jinja environment a console, addresses of static files by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from core.webshell import formats
from core.webshell.accounts import Account

_HERE = Path(__file__).parent
# Enough of a SHA-256 to tell versions of one file apart.
_VERSION_CHARACTERS = 12


@dataclass(frozen=True)
class Shell:
    """What every page shows around its content."""

    product: str
    organisation: str
    place: str
    """What one logs in to, in a sentence: "this control plane"."""
    program: str
    """The command whose terminal shows the claim code."""
    version: str
    base: str
    """Path that all the console's pages are below; empty when they are at the root."""
    path: str
    account: Account | None
    csrf: str
    secure: bool


class Pages:
    """Renders templates of a console, with the shared ones behind them."""

    def __init__(
        self,
        folder: Path,
        name: str,
        clock: Callable[[], datetime],
        *,
        shared: str = "/static",
        words: Mapping[str, object] | None = None,
    ) -> None:
        """`folder` has templates/ and static/; its static files appear under /static/`name`/, ours under `shared`.

        `words`: what the console's own templates know besides (functions, lists of words).
        """
        self._clock = clock
        self._own, self._shared = f"/static/{name}", shared
        self._name = name
        self.static_folders: dict[str, Path] = {self._own: folder / "static", shared: _HERE / "static"}
        self._addresses: dict[str, str] = {}
        self._environment = _environment([folder / "templates", _HERE / "templates"])
        self._environment.globals.update(words or {}, static=self._static)

    def render(self, template: str, shell: Shell, **context: Any) -> str:
        """A page as text."""
        now = self._clock()
        page = self._environment.get_template(template)
        return page.render(shell=shell, now=now, **context)

    def _static(self, name: str) -> str:
        """`app.css` → `/static/app.css?v=…`; the browser keeps it until it changes."""
        if name not in self._addresses:
            ours, _, file = name.partition("/")
            address = f"{self._own}/{file}" if ours == self._name else f"{self._shared}/{name}"
            self._addresses[name] = f"{address}?v={self._version(address)}"
        return self._addresses[name]

    def _version(self, address: str) -> str:
        for prefix, folder in self.static_folders.items():
            path = folder / address.removeprefix(f"{prefix}/")
            if address.startswith(f"{prefix}/") and path.is_file():
                return hashlib.sha256(path.read_bytes()).hexdigest()[:_VERSION_CHARACTERS]
        return "missing"


def _environment(folders: Sequence[Path]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(utc=formats.utc, seconds=formats.seconds, count=formats.count, ago=_ago_filter)
    return environment


@jinja2.pass_context
def _ago_filter(context: jinja2.runtime.Context, then: datetime | None) -> str:
    return formats.ago(then, context["now"])
