"""A demo whose control plane finds its port taken says so in one sentence, and starts on another the next time."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path

import pytest

from edge.demo.demo import Demo
from edge.demo.programs import DemoFailed


def ports_of(state: Path) -> dict[str, int]:
    settings = tomllib.loads((state / "cloud/cloud.toml").read_text())
    return {name: settings[name]["port"] for name in ("console", "sync", "enrolment")}


@pytest.mark.long
async def test_a_taken_port_is_one_error_and_can_be_changed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoFailed) as failed:
            await Demo(tmp_path, 0, port, "empty").run()
        assert "ended before it was ready" in failed.value.detail
        assert str(tmp_path / "demo.log") in failed.value.remedy

    assert ports_of(tmp_path) == {"console": port, "sync": port + 1, "enrolment": port + 2}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = taken.getsockname()[1]
        with pytest.raises(DemoFailed):
            await Demo(tmp_path, 0, other, None).run()
    assert ports_of(tmp_path) == {"console": other, "sync": other + 1, "enrolment": other + 2}
