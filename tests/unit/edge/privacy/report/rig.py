"""A sample site as a report sees it: real settings, real encrypted files, no encoder and no node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge.chat.notice import notice_of
from edge.config import Config, SitePaths, load_config, site_paths
from edge.privacy.policies import Policies, PolicyFile
from edge.report_facts import Sources
from edge.site_setup import create_site
from edge.store.store import Store
from models.detect.rates import shipped
from models.encoder import ModelInfo

ENCODER = ModelInfo("all-minilm-l6-v2", "0.1.0", "onnxruntime", "cpu", "ab" * 32)


@asynccontextmanager
async def sample_site(folder: Path, template: str = "clinic") -> AsyncIterator[Sources]:
    """A site from a template, before its documents are read in."""
    paths = site_paths(folder / template)
    create_site(paths, template)
    store = Store.open(paths)
    try:
        yield sources_of(paths, store)
    finally:
        await store.close()


def sources_of(paths: SitePaths, store: Store) -> Sources:
    """What is known of an open site without an encoder and a node."""
    config, file = load_config(paths), PolicyFile(paths)
    return Sources(
        config=config,
        paths=paths,
        store=store,
        policy_file=file,
        policies=Policies(file),
        rates=shipped(),
        notice=notice_of(config.site.name),
        encoder=ENCODER,
        languages=("en",),
        documents=51,
        status={},
    )


def with_settings(config: Config, **sections: dict[str, Any]) -> Config:
    """The settings with some of them changed, checked again."""
    table = config.model_dump()
    for section, changed in sections.items():
        merge(table[section], changed)
    return Config.model_validate(table)


def merge(table: dict[str, Any], changed: dict[str, Any]) -> None:
    for name, value in changed.items():
        if isinstance(value, dict) and isinstance(table.get(name), dict):
            merge(table[name], value)
        else:
            table[name] = value
