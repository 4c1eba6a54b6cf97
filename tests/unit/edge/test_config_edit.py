"""One setting changes; every other character of site.toml stays."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from core.errors import ConfigError
from edge.config import site_paths
from edge.config.edit import set_text, with_text

OTHER_GROUP = 4711  # root may give a file to any
SITE = '# ours\n[site]\nname = "a"  # note\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SITE, SITE + '\n[models]\nllm = "new"\n'),
        (SITE + '[models]\nllm = "old"  # why\n', SITE + '[models]\nllm = "new"  # why\n'),
        (SITE + '[models]\nruntime = "auto"\n', SITE + '[models]\nllm = "new"\nruntime = "auto"\n'),
        ('[models]\nllm="old"\n[site]\nllm = "kept"\n', '[models]\nllm = "new"\n[site]\nllm = "kept"\n'),
        ('[models]\nllm = "new"', '[models]\nllm = "new"'),
    ],
)
def test_one_setting_changes(text: str, expected: str) -> None:
    assert with_text(text, "models", "llm", "new") == expected
    assert tomllib.loads(expected)["models"]["llm"] == "new"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('models = {llm = "old"}\n', "new"),
        ('models.llm = "old"\n', "new"),
        (SITE, 'x"\nevil = "y'),
        (SITE, ""),
    ],
)
def test_what_is_not_understood_is_left_alone(text: str, value: str) -> None:
    with pytest.raises(ConfigError, match="llm cannot be set"):
        with_text(text, "models", "llm", value)


def test_the_file_keeps_its_mode_and_its_group(tmp_path: Path) -> None:
    """A node's umask is 0077, and its main group is its own: the courier still has to read what it writes."""
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    path.chmod(0o640)
    another = OTHER_GROUP if os.geteuid() == 0 else os.getgroups()[-1]
    os.chown(path, -1, another)
    before = os.umask(0o077)
    try:
        set_text(site_paths(tmp_path), "models", "llm", "new")
    finally:
        os.umask(before)
    assert (path.stat().st_mode & 0o777, path.stat().st_gid) == (0o640, another)
    assert tomllib.loads(path.read_text())["models"] == {"llm": "new"}
