"""The rules of the house that no linter knows: sizes, names, docstrings, metrics in the docs, commands in README."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("edge", "cloud_sync", "core", "models")
# DESIGN's "about 400", with room for the one that is about to be split.
FILE_LINES_MAX = 450
# One file because whoever does not trust us copies it, reads it and runs it by itself.
SINGLE_FILES = {Path("edge/egress/verify.py")}
# "About 40"; past twice that a function is doing several things.
FUNCTION_LINES_MAX = 80
JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
METRIC = re.compile(r"postern_[a-z][a-z0-9_]*")
METRIC_TYPES = {
    "Counter",
    "Gauge",
    "Histogram",
    "Summary",
    "Info",
    "CounterMetricFamily",
    "GaugeMetricFamily",
}
# Addresses of package registries have no place in the source: a person's own settings say where packages come from.
REGISTRY_MARKS = ("--index-url", "--extra-index-url", "--find-links http", '"resolved":')


def sources(*folders: str) -> list[Path]:
    """Our Python files; generated ones are nobody's style."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not path.name.endswith(("_pb2.py", "_pb2_grpc.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_no_file_is_too_long() -> None:
    long = [
        p
        for p in sources(*PACKAGES, "tests")
        if len(p.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX
        and p.relative_to(ROOT) not in SINGLE_FILES
    ]
    assert not long, f"split: {names(long)}"


def test_no_function_is_too_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources(*PACKAGES)
        if path.parent.name != "versions"  # a migration is a list of tables, however many
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > FUNCTION_LINES_MAX
    ]
    assert not long, f"split: {long}"


def test_there_is_no_junk_drawer() -> None:
    found = [path for path in sources(*PACKAGES, "tests") if {path.stem, path.parent.name} & JUNK_DRAWERS]
    assert not found, f"name them for what they are: {names(found)}"


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in sources(*PACKAGES, "tests") if ast.get_docstring(tree(path)) is None]
    assert not silent, f"no docstring: {names(silent)}"


def test_every_module_defers_its_annotations() -> None:
    without = [
        path
        for path in sources(*PACKAGES)
        if len(tree(path).body) > 1
        and not any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree(path).body
        )
    ]
    assert not without, f"from __future__ import annotations: {names(without)}"


def metrics_in_code() -> set[str]:
    """Names given to Prometheus in the code."""
    found = set()
    for path in sources(*PACKAGES):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if called in METRIC_TYPES and isinstance(first, ast.Constant) and isinstance(first.value, str):
                counter = called == "Counter" and not first.value.endswith("_total")
                found.add(first.value + "_total" if counter else first.value)
    return found


def test_every_metric_is_explained() -> None:
    page = ROOT / "docs" / "operations.md"
    explained = set(METRIC.findall(page.read_text(encoding="utf-8"))) if page.exists() else set()
    missing = {name for name in metrics_in_code() if METRIC.fullmatch(name)} - explained
    assert not missing, f"explain in docs/operations.md: {sorted(missing)}"


def test_every_metric_carries_our_name() -> None:
    # The OpenTelemetry names for generative servers are the other family that the contract allows.
    strange = {name for name in metrics_in_code() if not name.startswith(("postern_", "gen_ai_"))}
    assert not strange


def test_commands_in_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", readme)) | set(
        re.findall(r"^\s*\$?\s*make ([a-z-]+)", readme, re.MULTILINE)
    )
    assert named <= targets, f"README names what the Makefile lacks: {sorted(named - targets)}"


def test_help_lists_every_command_of_the_contract() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    for target in (
        "run",
        "test",
        "setup",
        "test-all",
        "soak",
        "bench",
        "screenshots",
        "protos",
        "format",
        "lock",
        "clean",
    ):
        assert re.search(rf"^(make|) *{target} ", done.stdout, re.MULTILINE), target


@pytest.mark.proves("tested-releases")
@pytest.mark.parametrize(
    "name", ["requirements/runtime.txt", "requirements/dev.txt", "requirements/ray.txt", "package-lock.json"]
)
def test_locks_name_no_registry_and_pin_by_hash(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not [mark for mark in REGISTRY_MARKS if mark in text]
    if name.endswith(".txt"):
        pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*", text, re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins), "every pin is followed by its hashes"
    else:
        assert text.count('"integrity"') == len(re.findall(r'"node_modules/', text))


@pytest.mark.parametrize("name", ["dev", "ray"])
def test_the_other_locks_agree_with_the_runtime_lock(name: str) -> None:
    runtime, other = (
        set(
            re.findall(
                r"^([a-z0-9][^ \n]*==[^ \n]*)", (ROOT / f"requirements/{each}.txt").read_text(), re.MULTILINE
            )
        )
        for each in ("runtime", name)
    )
    assert runtime <= other, f"lock {name} as `make lock` does: {sorted(runtime - other)}"
