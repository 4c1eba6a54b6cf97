"""`--database` of `postern-cloud`: a password comes from a file or stdin, never from the list of processes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cloud_sync.commands.command_line import database_address
from core.errors import ConfigError

SECRET = "postgresql://postern:s3cret@db/fleet"


def test_an_address_comes_from_a_file_from_stdin_or_has_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "address").write_text(f"{SECRET}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\nmore\n"))
    assert database_address(str(tmp_path / "address")) == SECRET
    assert database_address("-") == SECRET
    assert database_address("postgresql://postern@db/fleet") == "postgresql://postern@db/fleet"
    assert database_address("") == ""


@pytest.mark.parametrize(
    "given",
    [
        SECRET,
        "postgresql://db/fleet?password=s3cret",
        "postgresql://db:port/x",
        "mysql://db/x",
        "sqlite",
        "no/such/file",
        "/",
        "\0",
    ],
)
def test_anything_else_is_refused_without_saying_it_again(given: str) -> None:
    with pytest.raises(ConfigError) as refused:
        database_address(given)
    assert "s3cret" not in str(refused.value) + refused.value.remedy
