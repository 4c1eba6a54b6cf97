"""Two nodes of one site, each named in the other's settings as its sibling, with one key: copies of a prepared site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from edge.config import site_paths
from edge.keys import siblings
from tests.ports import free_ports


def make_siblings(prepared: Path, folder: Path, settings: Sequence[str] = ("", "")) -> tuple[Path, Path]:
    """The two sites, not running. `prepared`: with port 0; `settings`: of each, after its own."""
    sites = (folder / "one", folder / "other")
    ports = free_ports(len(sites))
    key_file = folder / siblings.NAME
    siblings.make(key_file)
    for site, port, other, more in zip(sites, ports, reversed(ports), settings, strict=True):
        shutil.copytree(prepared, site)
        shutil.copy(key_file, site_paths(site).keys / siblings.NAME)
        text = (site / "site.toml").read_text().replace("port = 0", f"port = {port}", 1)
        urls = json.dumps([f"http://127.0.0.1:{other}"])
        (site / "site.toml").write_text(f"{text}\n[siblings]\nurls = {urls}\n{more}")
    return sites
