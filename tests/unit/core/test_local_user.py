"""Who acts at a terminal: the person that logged in, also when they have become another user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from core.local_user import NAME_CHARS_MAX, terminal_user, this_user

ROOT = pwd.getpwuid(0).pw_name
STRANGER = 4_000_000_000


def process(folder: Path, loginuid: str) -> Path:
    (folder / "7").mkdir()
    (folder / "7" / "loginuid").write_text(loginuid)
    return folder


@pytest.mark.parametrize(
    ("loginuid", "uid", "name"),
    [
        ("0", 0, f"terminal:{ROOT}"),
        (str(STRANGER), 0, f"terminal:{STRANGER} as {ROOT}"),
        ("0", STRANGER, f"terminal:{ROOT} as {STRANGER}"),
        (str(2**32 - 1), 0, f"terminal:{ROOT}"),
        ("nonsense", 0, f"terminal:{ROOT}"),
        ("", STRANGER, f"terminal:{STRANGER}"),
    ],
)
def test_a_login_is_named_before_what_it_has_become(
    tmp_path: Path, loginuid: str, uid: int, name: str
) -> None:
    assert terminal_user(7, uid, process(tmp_path, loginuid)) == name


def test_a_process_that_is_gone_is_named_by_its_user_alone(tmp_path: Path) -> None:
    assert terminal_user(7, 0, tmp_path) == f"terminal:{ROOT}"


def test_a_long_name_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = pwd.struct_passwd(("x" * 100, "", 0, 0, "", "", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: long)
    assert len(terminal_user(7, 0, tmp_path)) == NAME_CHARS_MAX


def test_this_process_has_a_user() -> None:
    assert this_user() == terminal_user(os.getpid(), os.getuid())
