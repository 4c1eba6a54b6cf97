"""`postern models use`: the running node first, then the settings, so that a name that cannot serve is never kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.errors import PosternError
from edge.config import SitePaths, load_config, site_paths
from edge.config.edit import set_text
from edge.web import admin
from edge.web.admin import Progress
from models.build import alone
from models.catalog import EncoderEntry, entry, models_dir
from models.progress import Report, silent
from models.records import check_servable, model_folder
from models.versions import go_back


def use_model(site: Path, name: str, *, previous: bool = False, report: Report = silent) -> dict[str, object]:
    """What serves now, or from the next start on. Raises ModelMissing, ModelRefused, SwapRefused, ConfigError, …

    `previous`: the version of the model that served before its current one, which changes places with it. If it cannot
    serve, the two are as they were.
    """
    paths = site_paths(site)
    load_config(paths)
    if not previous:
        return _use(paths, name, report)
    root = models_dir()
    with alone(root):
        go_back(root, name)
    try:
        return _use(paths, name, report)
    except BaseException:
        with alone(root):
            go_back(root, name)
        raise


def _use(paths: SitePaths, name: str, report: Report) -> dict[str, object]:
    found, folder = entry(name), model_folder(models_dir(), name)
    check_servable(folder, found, found.file_names)
    socket = paths.admin_socket
    serving: object = {}
    if socket.exists() and asyncio.run(admin.answers(socket)):

        def told(progress: Progress) -> None:
            report(progress.what, progress.done, progress.total)

        serving = asyncio.run(admin.call(socket, "models.use", {"name": name}, told))
    set_text(paths, "models", "encoder" if isinstance(found, EncoderEntry) else "llm", name)
    if not isinstance(serving, dict):
        raise PosternError
    return {
        "model": name,
        "version": folder.name,
        "kind": found.kind,
        "serves": "now" if serving else "from the next start on",
        **serving,
    }
