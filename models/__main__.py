"""`python -m models build|list|tune|verify|bench`: for set-up, before the node's own command line is installed."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from core.errors import ExitCode, PosternError
from models import operations
from models.catalog import models_dir
from models.progress import on_terminal

_COMMANDS: Final = ("build", "list", "tune", "verify", "bench")
_USAGE: Final = f"usage: python -m models {'|'.join(_COMMANDS)}"


def main(arguments: Sequence[str]) -> int:
    """Run one command; one JSON document on stdout, progress and errors on stderr."""
    if len(arguments) != 1 or arguments[0] not in _COMMANDS:
        sys.stderr.write(_USAGE + "\n")
        return ExitCode.USAGE
    try:
        rows = _run(arguments[0])
    except PosternError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n{error.remedy}\n")
        return error.exit_code
    sys.stdout.write(json.dumps([_plain(row) for row in rows], indent=2) + "\n")
    failed = any(isinstance(row, operations.Verified) and not row.ok for row in rows)
    return ExitCode.CHECK_FAILED if failed else ExitCode.OK


def _run(
    command: str,
) -> Sequence[
    operations.Built | operations.Listed | operations.Verified | operations.BenchRow | operations.Placement
]:
    folder = models_dir()
    if command == "build":
        with on_terminal() as report:
            return operations.build_all(folder, report)
    if command == "tune":
        with on_terminal() as report:
            return operations.tune_what_changed(folder, report)
    if command == "list":
        return operations.list_models(folder)
    if command == "verify":
        return operations.verify(folder)
    return operations.bench(folder)


def _plain(row: Any) -> Any:
    return row.model_dump(mode="json") if isinstance(row, operations.Placement) else dataclasses.asdict(row)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
