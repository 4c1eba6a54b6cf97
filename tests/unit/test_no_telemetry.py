"""No library of ours calls home: ONNX Runtime's telemetry leaves a device id in the cache folder when it is on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADERS = ("models", "edge")


def _imports_onnxruntime(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        if any(module.split(".")[0] == "onnxruntime" for module in modules):
            return True
    return False


@pytest.mark.proves("no-telemetry")
def test_only_packages_that_switch_it_off_load_onnx_runtime() -> None:
    found = {
        path.relative_to(ROOT).parts[0]
        for package in ("edge", "cloud_sync", "core", "models")
        for path in (ROOT / package).rglob("*.py")
        if _imports_onnxruntime(path)
    }
    assert found <= set(LOADERS)


@pytest.mark.proves("no-telemetry")
@pytest.mark.parametrize("package", LOADERS)
def test_telemetry_is_off_whoever_loads_the_library(package: str, tmp_path: Path) -> None:
    code = f"import {package}, onnxruntime"
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-B", "-c", code], env=environment, check=True, timeout=60)
    assert not list(tmp_path.rglob("*")), "the library kept something for its maker"
