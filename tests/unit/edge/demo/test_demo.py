"""A demo stays the sample site that it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from edge.config import site_paths
from edge.demo.demo import Demo
from edge.site_setup import create_site


def demo_of_a_bank(folder: Path, template: str | None) -> Demo:
    create_site(site_paths(folder / "site"), "bank")
    return Demo(folder, 0, 0, template)


async def test_another_template_than_the_demo_was_made_from_is_refused(tmp_path: Path) -> None:
    demo = demo_of_a_bank(tmp_path, "clinic")

    with pytest.raises(ConfigError) as refused:
        await demo.run()

    assert "Thornmere Bank" in refused.value.detail
    assert "--state" in refused.value.remedy
    assert not (tmp_path / "cloud").exists()


@pytest.mark.parametrize("template", [None, "bank"])
def test_the_template_of_a_demo_may_be_named_again_or_left_out(tmp_path: Path, template: str | None) -> None:
    demo_of_a_bank(tmp_path, template).check_template()
