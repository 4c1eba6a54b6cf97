"""Makes of a demo's site one of two nodes, as docs/operations.md tells a person to ("Two nodes at a site").

Both answer in a model's words, and both may let the control plane help: the sample site's customers are invented, so
its policy has the widest tolerance for what the detector misses. A real site decides that for itself. With what the
shipped detector misses no text goes even so, and what a node cannot write in time is quoted.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from core.files import PRIVATE_FILE_MODE, write_atomic
from edge.config import SitePaths, load_config
from edge.config.edit import with_text
from edge.keys import siblings
from edge.privacy import policy_files

SIBLING_OFF = ("mqtt", "broker", "off")
"""The broker of a site runs once."""

# Of the sample policy's [overflow], for a demo: at any hour, and for as many answers as a spike has.
_OVERFLOW = {
    "risk": '"high"',
    "hours": '["daily 00:00-24:00"]',
    "bytes_per_hour": "20_000_000",
    "bytes_per_day": "100_000_000",
}


def pair(node: SitePaths, sibling: SitePaths) -> None:
    """Have both name each other, with one key, in a model's words, with overflow. Done again, it changes nothing."""
    for paths, other in ((node, sibling), (sibling, node)):
        settings = with_text(paths.config.read_text(encoding="utf-8"), "answer", "mode", "generative")
        if paths is sibling:
            settings = with_text(settings, *SIBLING_OFF)
        http = load_config(other).http
        write_atomic(paths.config, _with_sibling(settings, f"http://{http.host}:{http.port}").encode())
    key = node.keys / siblings.NAME
    if not key.exists():
        siblings.make(key)
    write_atomic(sibling.keys / siblings.NAME, key.read_bytes(), PRIVATE_FILE_MODE)


def permit_overflow(paths: SitePaths, policy: Path) -> None:
    """Sign the site's policy with overflow permitted. Raises BadPolicy."""
    text = policy.read_text(encoding="utf-8")
    head, section, rest = text.partition("\n[overflow]\n")
    for key, value in _OVERFLOW.items():
        rest = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", rest, count=1)
    policy_files.save(paths, head + section + rest, datetime.now(UTC))


def _with_sibling(settings: str, url: str) -> str:
    """The settings with that one sibling, whatever stood there before."""
    without = re.sub(r"(?ms)^\[siblings\]\n(?:(?!^\[).)*", "", settings).rstrip()
    return f'{without}\n\n[siblings]\nurls = ["{url}"]\n'
