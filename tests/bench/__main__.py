"""Runs every bench beside this file, one process each, keeps their documents, and prints one table of them.

`python -m tests.bench [NAME…]`. A bench is a module here that can be run (it has `__name__ == "__main__"`); the
shared ones are left out. It judges nothing: each bench says in `judged` what it found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = Path("bench-results")
# The contract gives a bench ten minutes; twice that is a bench that hangs.
LIMIT_S = 1200


def names() -> list[str]:
    """The benches that can be run, in alphabetical order: they take a bench's arguments in their own name.

    Other programs here are parts of one: its load, the other side of a comparison.
    """
    return [
        path.stem
        for path in sorted(HERE.glob("*.py"))
        if f'arguments("{path.stem}"' in path.read_text(encoding="utf-8")
    ]


def run(name: str) -> tuple[dict[str, object] | None, str]:
    """Run one bench; its document, or None and why there is none. Its progress goes to our stderr."""
    command = [sys.executable, "-m", f"tests.bench.{name}", "--json"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, f"still running after {LIMIT_S} s"
    try:
        document = json.loads(done.stdout)
    except ValueError:
        return None, f"no JSON on stdout, exit code {done.returncode}"
    return document, "" if done.returncode == 0 else f"exit code {done.returncode}"


def rows(judged: dict[str, object]) -> list[tuple[str, str, str]]:
    """(key, value, interval) of a bench's judged figures, `KEY_low` and `KEY_high` folded into KEY's row."""
    found = []
    for key, value in judged.items():
        base = key.removesuffix("_low").removesuffix("_high")
        if base != key and base in judged:
            continue
        low, high = judged.get(f"{key}_low"), judged.get(f"{key}_high")
        interval = "" if low is None or high is None else f"{_figure(low)} to {_figure(high)}"
        found.append((key, _figure(value), interval))
    return found


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def main(arguments: list[str]) -> int:
    """Run the named benches (all by default); 0 if every one gave a document."""
    RESULTS.mkdir(exist_ok=True)
    table = Table("bench", "figure", "value", "95 % interval", "seconds")
    failed = False
    for name in arguments or names():
        print(f"[bench] {name}", file=sys.stderr)
        started = time.monotonic()
        document, problem = run(name)
        seconds = f"{time.monotonic() - started:.0f}"
        failed = failed or bool(problem)
        if document is None:
            table.add_row(name, problem, "", "", seconds)
            continue
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        judged = document.get("judged")
        for key, value, interval in rows(judged if isinstance(judged, dict) else {}):
            table.add_row(name, key, value, interval, seconds)
            name, seconds = "", ""
    Console().print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
