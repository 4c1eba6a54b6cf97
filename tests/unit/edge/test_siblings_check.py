"""The shared key and the doctor's word on the site's other nodes: there, with the same key, or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from core.errors import ConfigError
from edge.chat.notice import notice_of
from edge.config import Config, site_paths
from edge.keys import siblings
from edge.operations.siblings import SiblingsOperations
from edge.siblings_check import Found, look
from edge.web.server import customer_application
from edge.web.siblings import SiblingsApi

NOTICE = notice_of("Clinic").version


def config_of(*urls: str) -> Config:
    return Config.model_validate({"site": {"id": "clinic", "name": "Clinic"}, "siblings": {"urls": urls}})


async def looked(folder: Path, site: str, fingerprint: str, notice: str) -> Found:
    """The word on one that says this of itself."""
    paths = site_paths(folder)
    api = SiblingsApi(site, fingerprint, notice)
    async with TestServer(customer_application(api.routes(), None)) as server:
        return await look(paths, config_of(f"http://127.0.0.1:{server.port}"), 2.0)


@pytest.mark.parametrize(
    ("site", "key", "notice", "said"),
    [
        ("clinic", None, NOTICE, "same key"),
        ("clinic", "another", NOTICE, "another key"),
        ("clinic", "", NOTICE, "no siblings"),
        ("bank", None, NOTICE, "another site"),
        ("clinic", None, "v0", "another notice"),
    ],
)
async def test_would_a_conversation_go_on_there(
    tmp_path: Path, site: str, key: str | None, notice: str, said: str
) -> None:
    (tmp_path / "keys").mkdir()
    own = siblings.fingerprint(siblings.make(tmp_path / "keys" / siblings.NAME))
    found = await looked(tmp_path, site, own if key is None else key, notice)
    assert said in found.words
    assert found.ok is (said == "same key")
    assert found.ok or found.remedy


async def test_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    siblings.make(tmp_path / "keys" / siblings.NAME)
    found = await look(site_paths(tmp_path), config_of("http://127.0.0.1:1"), 2.0)
    assert not found.ok
    assert "does not answer" in found.words


async def test_a_site_without_siblings_needs_no_key(tmp_path: Path) -> None:
    assert (await look(site_paths(tmp_path), config_of(), 2.0)).ok
    with pytest.raises(ConfigError):
        await look(site_paths(tmp_path), config_of("http://127.0.0.1:1"), 2.0)


async def test_the_key_is_made_once_and_told_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    operation = SiblingsOperations(config_of(), site_paths(tmp_path)).table()["siblings.key"]
    made = await operation({}, lambda _: None)
    assert isinstance(made, dict)
    path = Path(made["key_file"])
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text().strip() not in str(made)
    again = await operation({}, lambda _: None)
    assert again == {**made, "made": False}
    anew = await operation({"new": True}, lambda _: None)
    assert isinstance(anew, dict)
    assert anew["fingerprint"] != made["fingerprint"]


@pytest.mark.parametrize(
    "content", ["", "short", "ü" * 44, "A" * 44, "A" * 40 + "====", "not base64 at all " * 4]
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(ConfigError):
        siblings.read(path)
