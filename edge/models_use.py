"""`postern models use`: the running node first, then the settings, so that a name that cannot serve is never kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from core.errors import PosternError
from edge.config import load_config, site_paths
from edge.config.edit import set_text
from edge.web import admin
from edge.web.admin import Progress
from models.build import alone
from models.catalog import EncoderEntry, entry, models_dir
from models.progress import Report, silent
from models.records import check_servable, model_folder
from models.versions import go_back


class ChangeGoesOn(PosternError):
    """The command was stopped while the node changed its model; a node ends what it began."""

    code = "change_goes_on"
    title = "The node goes on with the change"
    remedy = (
        "See `postern status`. Once the model serves, type `postern models use` with its name, without --previous: "
        "the settings do not name it yet."
    )


def use_model(site: Path, name: str, *, previous: bool = False, report: Report = silent) -> dict[str, object]:
    """What serves now, or from the next start on. Raises ModelMissing, ModelRefused, SwapRefused, ConfigError,
    ChangeGoesOn, …

    `previous`: the version of the model that served before its current one, which changes places with it. If it cannot
    serve, the two are as they were.
    """
    paths = site_paths(site)
    load_config(paths)
    root = models_dir()
    if previous:
        _change_places(root, name)
    try:
        found, folder = entry(name), model_folder(root, name)
        check_servable(folder, found, found.file_names)
        serving = _ask_node(paths.admin_socket, name, report)
    except ChangeGoesOn:
        raise
    except BaseException:
        if previous:
            _change_places(root, name)
        raise
    # Whatever fails from here on, it serves: the two versions stay in their new places.
    set_text(paths, "models", "encoder" if isinstance(found, EncoderEntry) else "llm", name)
    return {
        "model": name,
        "version": folder.name,
        "kind": found.kind,
        "serves": "now" if serving else "from the next start on",
        **serving,
    }


def _change_places(root: Path, name: str) -> None:
    with alone(root):
        go_back(root, name)


def _ask_node(socket: Path, name: str, report: Report) -> Mapping[str, object]:
    """What the running node says of the model that serves now; empty where none runs. Raises ChangeGoesOn, …"""
    if not socket.exists() or not asyncio.run(admin.answers(socket)):
        return {}

    def told(progress: Progress) -> None:
        report(progress.what, progress.done, progress.total)

    try:
        serving = asyncio.run(admin.call(socket, "models.use", {"name": name}, told))
    except (KeyboardInterrupt, OSError) as error:  # OSError: of the terminal that progress is shown on
        raise ChangeGoesOn from error
    if not isinstance(serving, dict):
        raise PosternError
    return serving
