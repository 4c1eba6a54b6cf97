"""Which tests prove which measure: the list that ships is that of the marks; results are read or not believed.

`python -m tests.unit.edge.privacy.report.test_proofs` writes the list anew.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from edge.privacy.report import proofs
from edge.privacy.report.duties import MEASURES
from tests.proofs import MARK, ROOT, Recorder, marked

LIST = ROOT / "edge" / "privacy" / "report" / proofs.LISTED
HEAD = "# Measure → the tests that prove it, as they are marked: python -m tests.unit.edge.privacy.report.test_proofs\n"
LISTED = {"keys": ("tests/unit/test_a.py::test_one", "tests/unit/test_a.py::test_two")}


def as_toml() -> str:
    found: dict[str, list[str]] = {}
    for measure, test in sorted(marked()):
        found.setdefault(measure, []).append(test)
    tables = [
        f"{measure} = [\n" + "".join(f'  "{test}",\n' for test in found[measure]) + "]\n" for measure in found
    ]
    return "\n".join([HEAD, *tables])


def test_the_list_is_that_of_the_marks() -> None:
    again = "run: python -m tests.unit.edge.privacy.report.test_proofs"
    assert LIST.read_text(encoding="utf-8") == as_toml(), again


def test_every_measure_is_proven_and_every_proof_is_of_a_measure() -> None:
    assert {one.id for one in MEASURES} == set(proofs.listed())


def results(folder: Path, **changed: object) -> None:
    whole = {"run_on": "2026-11-29", "version": "0.1.0", "commit": "abc", "tests": {}}
    (folder / proofs.RESULTS).write_text(json.dumps(whole | changed))


def test_without_results_nothing_is_claimed(tmp_path: Path) -> None:
    found = proofs.evidence(LISTED, tmp_path)
    assert found.run_on is None
    assert [proof.result for proof in found.proofs["keys"]] == ["not run", "not run"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "nonsense", '{"tests": 1}', '{"run_on": "soon", "version": ""}']
)
def test_a_file_that_is_none_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / proofs.RESULTS).write_text(content)
    assert proofs.evidence(LISTED, tmp_path).run_on is None


def test_results_are_told_by_test(tmp_path: Path) -> None:
    first, second = LISTED["keys"]
    results(tmp_path, tests={first: "passed", second: "failed", "another": "passed"})
    found = proofs.evidence(LISTED, tmp_path)
    assert (found.run_on, found.commit) == (date(2026, 11, 29), "abc")
    assert [proof.result for proof in found.proofs["keys"]] == ["passed", "failed"]
    results(tmp_path, tests={first: "surely", second: "skipped"})
    again = proofs.evidence(LISTED, tmp_path)
    assert [proof.result for proof in again.proofs["keys"]] == ["not run", "skipped"]


class Item:
    """As much of a test as the recorder asks of."""

    def __init__(self, nodeid: str, *, proves: bool) -> None:
        self.nodeid = nodeid
        self.proves = proves

    def get_closest_marker(self, name: str) -> object:
        return object() if self.proves and name == MARK else None


class Report:
    """How a phase of a test ended."""

    def __init__(self, nodeid: str, outcome: str, when: str = "call") -> None:
        self.nodeid, self.outcome, self.when = nodeid, outcome, when
        self.passed = outcome == "passed"


def run(target: Path, *reports: Report) -> dict[str, str]:
    recorder = Recorder(target)
    names = {report.nodeid for report in reports}
    recorder.pytest_collection_modifyitems([Item(name, proves="plain" not in name) for name in names])  # type: ignore[misc]
    for report in reports:
        recorder.pytest_runtest_logreport(report)  # type: ignore[arg-type]
    recorder.pytest_sessionfinish()
    tests: dict[str, str] = json.loads(target.read_text())["tests"]
    return tests


def test_a_run_writes_how_marked_tests_ended_beside_what_others_wrote(tmp_path: Path) -> None:
    target = tmp_path / "build" / proofs.RESULTS
    run(target, Report("a::x", "passed", "setup"), Report("a::x", "passed"), Report("a::plain", "passed"))
    assert run(target, Report("b::y", "skipped", "setup")) == {"a::x": "passed", "b::y": "skipped"}


def test_the_worst_of_a_tests_parameters_and_phases_counts(tmp_path: Path) -> None:
    target = tmp_path / proofs.RESULTS
    several = [Report("a::x[1]", "passed"), Report("a::x[2]", "failed"), Report("a::x[3]", "passed")]
    after = [Report("a::y", "passed"), Report("a::y", "failed", "teardown")]
    some = [Report("a::z[1]", "skipped", "setup"), Report("a::z[2]", "passed")]
    ended = run(target, *several, *after, *some)
    assert ended == {"a::x": "failed", "a::y": "failed", "a::z": "passed"}


if __name__ == "__main__":
    LIST.write_text(as_toml(), encoding="utf-8")
