"""Tests that prove a measure of data protection carry its name: `@pytest.mark.proves("erasure")`.

With $POSTERN_PROOFS a run writes how each of them ended into that file, beside what other runs have written; the data
protection report reads it (`edge/privacy/report/proofs.py`). Which marks there are is held equal to a list that ships.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from core.version import VERSION

MARK: Final = "proves"
VARIABLE: Final = "POSTERN_PROOFS"
ROOT: Final = Path(__file__).parents[1]
# What counts when a test runs for several parameters, or a phase of it fails: the worst.
WORST: Final = ("skipped", "passed", "failed")


class Recorder:
    """Notes how the marked tests of this run end."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._marked: set[str] = set()
        self._ended: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._marked = {item.nodeid for item in items if item.get_closest_marker(MARK)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self._marked or (report.when != "call" and report.passed):
            return
        test = report.nodeid.split("[")[0]
        before = self._ended.get(test, WORST[0])
        self._ended[test] = max(before, report.outcome, key=WORST.index)

    def pytest_sessionfinish(self) -> None:
        """Add to what others have written; tiers run side by side."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        with self._target.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            written = file.read()
            tests = json.loads(written)["tests"] if written else {}
            file.truncate(0)
            json.dump(results(tests | self._ended), file, indent=1, sort_keys=True)


def results(tests: dict[str, str]) -> dict[str, Any]:
    """The whole file."""
    return {
        "run_on": datetime.now(UTC).date().isoformat(),
        "version": VERSION,
        "commit": commit(),
        "tests": tests,
    }


def commit() -> str:
    """What was tested; "-dirty" at its end when files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def register(config: pytest.Config) -> None:
    """Note results where the environment asks for it."""
    if target := os.environ.get(VARIABLE):
        config.pluginmanager.register(Recorder(Path(target)), "postern-proofs")


def marked() -> Iterator[tuple[str, str]]:
    """Every mark in the tests' source, as measure and the test's id."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if f"mark.{MARK}(" in text:
            where = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    for measure in _measures(node):
                        yield measure, f"{where}::{node.name}"


def _measures(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARK}":
            yield from (ast.literal_eval(argument) for argument in decorator.args)
