"""Other nodes of the same site, at which its pages go on when this one dies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from core.network import is_loopback
from edge.config.section import Section, require_inside

SIBLINGS_MAX: Final = 8
"""A site has a few nodes; each stands in the pages' policy, and is tried in turn."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _origin(url: str) -> str:
    """The address as browsers write an origin. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValueError("a sibling's url must be http(s)://HOST[:PORT], without a path or a login in it")
    if parts.query or parts.fragment or any(sign in url for sign in " ;,'\""):
        raise ValueError("a sibling's url must be http(s)://HOST[:PORT] and nothing else")
    require_inside(parts.hostname)
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError("off this machine a sibling's url must be https")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


class SiblingsSection(Section):
    """Where conversations go on. Off without addresses."""

    # As the customers' browsers reach them; the pages of these may also ask this node.
    urls: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Field(max_length=SIBLINGS_MAX)] = ()
    # What seals the conversations on their way; empty: keys/siblings.key in the site's folder.
    key_file: Path | None = None
    # Whom `postern doctor` believes to be a sibling, where the site has a CA of its own.
    ca_file: Path | None = None
