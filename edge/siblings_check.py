"""Of `postern doctor`: are the site's other nodes there, and would they go on with a conversation of this one?"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from core.errors import ConfigError, PosternError
from core.local_http import judged_connector
from core.network import local_addresses
from edge.chat.notice import notice_of
from edge.config import Config, SitePaths
from edge.keys import siblings

PATH = "/api/v1/siblings"


@dataclass(frozen=True)
class Found:
    """What to say, and what to do where it is not well."""

    ok: bool
    words: str
    remedy: str = ""


async def look(paths: SitePaths, config: Config, answer_s_max: float) -> Found:
    """Ask each of them, all at once; `answer_s_max`: how long each may take. Raises ConfigError: no usable key."""
    urls = config.siblings.urls
    if not urls:
        return Found(True, "none: when this node dies, its pages wait for it")
    key = siblings.fingerprint(siblings.read(siblings.key_file(paths, config)))
    tls = _tls(config)
    own = {"site": config.site.id, "key": key, "notice": notice_of(config.site.name).version}
    wrong = await asyncio.gather(*(_wrong(url, own, tls, answer_s_max) for url in urls))
    bad = [(words, remedy) for words, remedy in wrong if words]
    if bad:
        return Found(False, "; ".join(words for words, _ in bad), bad[0][1])
    return Found(True, f"{', '.join(urls)}: same key, same notice")


async def _wrong(
    url: str, own: dict[str, str], tls: ssl.SSLContext | None, answer_s_max: float
) -> tuple[str, str]:
    """What is wrong with one, and what to do; empty where nothing is."""
    try:
        told = await _told(url, tls, answer_s_max)
    except (PosternError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        remedy = "Look whether it runs, and whether its address and certificate are the ones in site.toml."
        return f"{url} does not answer ({type(error).__name__})", remedy
    if not told.get("key"):
        return f"{url} has no siblings in its settings", "Name this node there, too: [siblings] urls."
    if told.get("key") != own["key"]:
        return f"{url} has another key", "Copy the key of one node to the other: postern siblings key."
    if told.get("site") != own["site"]:
        return f"{url} is of another site", "Give both the same site.id, or take it out of siblings.urls."
    if told.get("notice") != own["notice"]:
        return f"{url} shows another notice", "Give both the same site.name, and the same release of Postern."
    return "", ""


async def _told(url: str, tls: ssl.SSLContext | None, answer_s_max: float) -> dict[str, Any]:
    """What the node at `url` says of itself. It is asked at an address of the site's own networks, or not at all."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connector = judged_connector(await local_addresses(parts.hostname or "", port), tls)
    timeout = aiohttp.ClientTimeout(total=answer_s_max)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
        client.get(url + PATH, allow_redirects=False) as response,
    ):
        response.raise_for_status()
        told = await response.json()
        return told if isinstance(told, dict) else {}


def _tls(config: Config) -> ssl.SSLContext | None:
    """Raises ConfigError."""
    ca_file = config.siblings.ca_file
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError):
        raise ConfigError(f"siblings.ca_file: {ca_file} holds no certificate.") from None
