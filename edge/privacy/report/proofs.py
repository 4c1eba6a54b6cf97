"""Which tests prove which measure, and whether they passed on this build.

`proofs.toml` says which: a unit test holds it equal to the marks in the tests. A run of `make test` writes the results
beside the models' folder; a release brings them. Pure but for reading the two files.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.privacy.report.facts import EvidenceFacts, Fact, Outcome, ProofFacts

LISTED: Final = "proofs.toml"
RESULTS: Final = "proofs.json"
RESULTS_BYTES_MAX: Final = 4_000_000
"""Some thousand tests' names; what is larger is not ours."""


class Results(Fact):
    """What a run of the tests wrote: how each marked test ended."""

    run_on: date
    version: str
    commit: str
    tests: dict[str, str]


def listed() -> dict[str, tuple[str, ...]]:
    """Measure → ids of the tests that prove it, as this release lists them."""
    table = tomllib.loads(files(__package__).joinpath(LISTED).read_text("utf-8"))
    return {name: tuple(tests) for name, tests in table.items()}


def evidence(wanted: Mapping[str, tuple[str, ...]], folder: Path) -> EvidenceFacts:
    """The tests of each measure with their results from `folder`; "not run" where there are none."""
    results = _read(folder / RESULTS)
    ended = results.tests if results else {}
    proofs = {
        measure: tuple(ProofFacts(test=test, result=_known(ended.get(test, ""))) for test in tests)
        for measure, tests in wanted.items()
    }
    if results is None:
        return EvidenceFacts(proofs=proofs)
    return EvidenceFacts(run_on=results.run_on, version=results.version, commit=results.commit, proofs=proofs)


def _known(result: str) -> Outcome:
    outcomes: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "skipped": "skipped"}
    return outcomes.get(result, "not run")


def _read(path: Path) -> Results | None:
    """None for a file that is not there, or that is none: then nothing is claimed."""
    try:
        with path.open("rb") as file:
            return Results.model_validate(json.loads(file.read(RESULTS_BYTES_MAX)))
    except (OSError, ValueError, ValidationError):
        return None
