"""`postern-cloud rollout` and `admin`: from a dry run to an abort, as an admin at a terminal does it."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
import sqlalchemy as sa

from cloud_sync.cli import main
from cloud_sync.commands.command_line import with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.services import ControlPlane
from cloud_sync.store.nodes import add_node
from tests.rollout_fleet import node_row, publish

PASSWORD = "correct horse battery"


class Terminal:
    """Runs commands; the exit status and what they print as JSON."""

    def __init__(
        self, paths: CloudPaths, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self._paths = paths
        self._capsys = capsys
        self._patch = patch

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, Any]:
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        status = 0
        try:
            main([*arguments, "--dir", str(self._paths.root), "--json"])
        except SystemExit as end:
            status = int(end.code or 0)
        printed = self._capsys.readouterr()
        return status, json.loads(printed.out) if status == 0 else printed.err

    def as_text(self, *arguments: str) -> str:
        """What a person reads."""
        self._patch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit, match="0"):
            main([*arguments, "--dir", str(self._paths.root)])
        return self._capsys.readouterr().out


@pytest.fixture
def terminal(
    cloud_dir: CloudPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    def write(connection: sa.Connection) -> None:
        for number in range(4):
            add_node(connection, node_row(number, chip="npu" if number < 3 else "gpu"))
        publish(connection, "model/encoder/2.0", "software/postern/0.2.0")

    async def fill(plane: ControlPlane) -> None:
        await plane.database.run(write)

    asyncio.run(with_plane(cloud_dir, fill))
    return Terminal(cloud_dir, capsys, monkeypatch)


def test_from_a_dry_run_to_an_abort(terminal: Terminal) -> None:
    status, plan = terminal("rollout", "plan", "model/encoder/2.0", "--label", "chip=npu")
    assert (status, len(plan["changes"]), plan["sizes"]) == (0, 3, [1, 1, 1])
    status, made = terminal(
        "rollout", "create", "model/encoder/2.0", "--label", "chip=npu", "--start", "2999-01-01T00:00"
    )
    assert (status, made["state"], made["nodes"]) == (0, "scheduled", 3)
    for command, state in (("pause", "paused"), ("resume", "scheduled"), ("abort", "aborted")):
        status, view = terminal("rollout", command, made["id"])
        assert (status, view["state"]) == (0, state)
    status, told = terminal("rollout", "resume", made["id"])
    assert status == 1
    assert "aborted" in told
    _, listed = terminal("rollout", "list")
    assert [one["id"] for one in listed] == [made["id"]]
    # A name is there to be typed: at 80 columns it is whole, too.
    assert made["id"] in terminal.as_text("rollout", "list")
    _, shown = terminal("rollout", "show", made["id"])
    assert next(row["action"] for row in shown["audit"]) == "rollout.aborted"


def test_two_admins_approve_what_the_terminal_made(terminal: Terminal) -> None:
    for name in ("ada", "bob"):
        status, _ = terminal("admin", "add", name, "--password-stdin", stdin=f"{PASSWORD}\n")
        assert status == 0
    assert terminal("admin", "list")[1] == ["ada", "bob"]
    _, made = terminal("rollout", "create", "software/postern/0.2.0")
    assert made["state"] == "awaiting_approval"
    approve = ("rollout", "approve", made["id"], "--password-stdin", "--admin")
    assert terminal(*approve, "ada", stdin=f"{PASSWORD}\n")[1]["state"] == "awaiting_approval"
    assert terminal(*approve, "ada", stdin=f"{PASSWORD}\n")[0] == 5
    assert terminal(*approve, "bob", stdin=f"{PASSWORD}\n")[1]["state"] == "scheduled"


@pytest.mark.parametrize(
    "arguments",
    [("encoder",), ("model/encoder/2.0", "--waves", "5,x"), ("model/encoder/2.0", "--waves", "5,50")],
)
def test_what_cannot_be_used_is_wrong_usage(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    status, told = terminal("rollout", "create", *arguments)
    assert status == 2
    assert "What to do" in told
