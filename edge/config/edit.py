"""Changes one setting of `site.toml` and nothing else: comments, order and spelling of the rest stay as they are."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from core.errors import ConfigError
from core.files import rewrite_atomic
from edge.paths import SitePaths

_PLAIN: Final = re.compile(r"^[A-Za-z0-9._-]+$")


def set_text(paths: SitePaths, section: str, key: str, value: str) -> None:
    """Set `section.key` to a plain name. Raises ConfigError where the file is written in an unexpected way."""
    text = paths.config.read_text(encoding="utf-8")
    changed = with_text(text, section, key, value)
    if changed != text:
        rewrite_atomic(paths.config, changed.encode())  # the courier reads it too, by its group


def with_text(text: str, section: str, key: str, value: str) -> str:
    """The TOML `text` with that one setting changed or added. Raises ConfigError."""
    by_hand = ConfigError(
        f"site.toml: {section}.{key} cannot be set here.",
        remedy=f'Set it by hand: [{section}] {key} = "{value}".',
    )
    if not _PLAIN.match(value):
        raise by_hand
    wanted = tomllib.loads(text)
    wanted.setdefault(section, {})[key] = value
    line = f'{key} = "{value}"'
    table = re.search(rf"^\[{re.escape(section)}\][^\n]*\n(?P<body>(?:(?!\[).*\n?)*)", text, re.MULTILINE)
    if table is None:
        changed = f"{text.rstrip()}\n\n[{section}]\n{line}\n"
    else:
        body, count = re.subn(
            rf"^{re.escape(key)}[ \t]*=[^\n#]*?(?=[ \t]*(#|$))", line, table["body"], flags=re.MULTILINE
        )
        body = body if count else f"{line}\n{table['body']}"
        changed = text[: table.start("body")] + body + text[table.end("body") :]
    try:
        if tomllib.loads(changed) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass
    raise by_hand
