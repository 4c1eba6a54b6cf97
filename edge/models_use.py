"""`postern models use`: the running node first, then the settings, so that a name that cannot serve is never kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.errors import PosternError
from edge.config import load_config, site_paths
from edge.config.edit import set_text
from edge.web import admin
from models.catalog import EncoderEntry, entry, models_dir
from models.records import check_servable


def use_model(site: Path, name: str) -> dict[str, object]:
    """What serves now, or from the next start on. Raises ModelMissing, ModelRefused, SwapRefused, ConfigError, …"""
    paths = site_paths(site)
    load_config(paths)
    found = entry(name)
    check_servable(models_dir(), found, found.file_names)
    socket = paths.admin_socket
    serving: object = {}
    if socket.exists() and asyncio.run(admin.answers(socket)):
        serving = asyncio.run(admin.call(socket, "models.use", {"name": name}, lambda _: None))
    set_text(paths, "models", "encoder" if isinstance(found, EncoderEntry) else "llm", name)
    if not isinstance(serving, dict):
        raise PosternError
    return {
        "model": name,
        "kind": found.kind,
        "serves": "now" if serving else "from the next start on",
        **serving,
    }
