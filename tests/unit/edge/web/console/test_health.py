"""The overview's findings: what is said, how bad it is, and that what is not well comes with what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.store.operators import Seal
from edge.web.console.health import (
    COMPARED_LATE_MS,
    DISK_FREE_BYTES_MIN,
    OUTBOX_OLD_S,
    Facts,
    Finding,
    findings,
)
from edge.web.console.rules import path_of

WELL = Facts(
    status={
        "knowledge": {"documents": 50, "chunks": 472},
        "queue": {"waiting": 0},
        "outbox": {"rows": 3},
        "sync": {"enrolled": True, "connected": True, "last_error": "", "outbox_oldest_s": 10},
        "fallbacks": (),
    },
    not_ready=(),
    questions_waiting_max=100,
    disk_free_bytes=DISK_FREE_BYTES_MIN,
    emergency=False,
    seal=Seal.WHOLE,
)


AWAY = {"offered": True, "ready": False}


def status(**changes: Any) -> dict[str, Any]:
    return {**WELL.status, **changes}


def test_a_site_that_is_well_says_so_and_nothing_else() -> None:
    assert {finding.level for finding in findings(WELL)} == {"good"}


def test_help_from_outside_is_told_only_where_the_policy_permits_it() -> None:
    unused = replace(
        WELL, status=status(overflow={"offered": False, "ready": False, "reason": "not_offered"})
    )
    assert not [finding for finding in findings(unused) if finding.id == "overflow"]
    used = replace(WELL, status=status(overflow={"offered": True, "ready": True, "reason": ""}))
    assert {finding.id: finding.level for finding in findings(used)}["overflow"] == "good"


@pytest.mark.parametrize(
    ("facts", "finding", "level"),
    [
        (replace(WELL, emergency=True), "emergency", "bad"),
        (replace(WELL, seal=Seal.BROKEN), "emergency", "warning"),
        (replace(WELL, seal=Seal.OLD), "emergency", "warning"),
        (replace(WELL, documents_differ=1), "differences", "warning"),
        (replace(WELL, documents_differ=3), "differences", "warning"),
        (replace(WELL, not_ready=("queue_full",)), "ready", "bad"),
        (replace(WELL, disk_free_bytes=DISK_FREE_BYTES_MIN - 1), "disk", "bad"),
        (replace(WELL, status=status(queue={"waiting": 75})), "queue", "warning"),
        (replace(WELL, status=status(knowledge={"documents": 0})), "knowledge", "warning"),
        (replace(WELL, status=status(fallbacks=("encoder:slower_runtime",))), "fallback-encoder", "warning"),
        (replace(WELL, status=status(fallbacks=("a-new-part:failed",))), "fallback-a-new-part", "warning"),
        (replace(WELL, status=status(sync={"enrolled": True, "last_error": "link_refused"})), "link", "warning"),
        (replace(WELL, status=status(overflow={**AWAY, "reason": "not_enrolled"})), "overflow", "warning"),
        (replace(WELL, status=status(overflow={**AWAY, "reason": "of_tomorrow"})), "overflow", "warning"),
        (replace(WELL, status=status(fallbacks=("writer_cloud:open",))), "fallback-writer_cloud", "warning"),
        (replace(WELL, status=status(sync={"enrolled": True, "last_error": "something_new"})), "link", "warning"),
        (
            replace(WELL, status=status(sync={**WELL.status["sync"], "outbox_oldest_s": OUTBOX_OLD_S + 1})),
            "outbox",
            "warning",
        ),
    ],
)  # fmt: skip
def test_what_is_not_well_comes_first_with_what_to_do(facts: Facts, finding: str, level: str) -> None:
    first = findings(facts)[0]
    assert (first.id, first.level) == (finding, level)
    assert first.remedy


@pytest.mark.parametrize(
    "component",
    [
        "answers",
        "ranking",
        "evidence",
        "intents",
        "encoder",
        "generation",
        "keys",
        "memory",
        "store",
        "audit",
        "policy",
        "clock",
        "egress",
    ],
)
def test_what_goes_on_serving_is_not_said_to_have_failed(component: str) -> None:
    first = findings(replace(WELL, status=status(fallbacks=(f"{component}:a_code",))))[0]
    assert first.id == f"fallback-{component}"
    assert "has failed" not in first.detail


def test_a_tpm_that_is_not_used_is_not_one_that_is_missing() -> None:
    unused, missing = (
        findings(replace(WELL, status=status(fallbacks=(f"keys:{reason}",))))[0]
        for reason in ("not_sealed", "no_tpm")
    )
    assert "has a TPM" in unused.detail
    assert "has no TPM" in missing.detail


def test_a_detector_that_fails_is_not_one_that_is_missing() -> None:
    failed, missing = (
        findings(replace(WELL, status=status(fallbacks=(f"detector:{reason}",))))[0]
        for reason in ("failed", "no_tagger")
    )
    assert "failed when it was asked last" in failed.detail
    assert "has no detector of names" in missing.detail


def test_pages_that_a_finding_leads_to_are_there() -> None:
    facts = replace(WELL, documents_differ=2, status=status(knowledge={}))
    actions = {finding.action for finding in findings(facts)} - {""}
    assert {path_of(action) for action in actions} == {"/documents", "/documents/differences"}


def test_just_below_each_bound_all_is_well() -> None:
    sync = {"enrolled": True, "connected": True, "outbox_oldest_s": OUTBOX_OLD_S}
    below = replace(WELL, status=status(queue={"waiting": 74}, sync=sync))
    assert {finding.level for finding in findings(below)} == {"good"}


def test_a_site_on_its_own_is_no_fault() -> None:
    alone = replace(WELL, status=status(sync={"enrolled": False}))
    assert {finding.level for finding in findings(alone)} == {"good"}
    assert "outbox" not in {finding.id for finding in findings(alone)}


def test_a_lost_device_says_what_lacks_what_it_costs_and_what_to_do() -> None:
    fallback = {
        "wanted": "cuda",
        "reason": "no_nvidia_driver",
        "detail": "There is no NVIDIA driver.",
        "remedy": "Install it.",
        "slowdown": 4.0,
    }
    told = status(fallbacks=("encoder:no_nvidia_driver",), encoder={"fallback": fallback})
    first = findings(replace(WELL, status=told))[0]
    assert first.id == "fallback-encoder"
    assert "4.0 times" in first.detail
    assert "no_nvidia_driver" in first.detail
    assert first.remedy == "Install it."


NOW_MS = 1_796_000_000_000


def record(ledger: dict[str, int] | None, *, enrolled: bool = True) -> Finding:
    sync = {**WELL.status["sync"], "enrolled": enrolled, "ledger": ledger}
    told = findings(replace(WELL, status=status(sync=sync), now_ms=NOW_MS))
    (found,) = (finding for finding in told if finding.id == "record")
    return found


def test_how_the_record_of_what_left_stands_is_said() -> None:
    ledger = {"entries": 12_345, "witnessed_entries": 12_300, "witnessed_s": NOW_MS // 1000}
    told = record({**ledger, "compared_ms": NOW_MS - 60_000})
    assert (told.level, told.action) == ("good", "reports.view")
    assert told.detail == (
        "12,345 entries. The control plane's witness signed 12,300 of them at 2026-11-30 00:53 UTC. "
        "Compared with the kernel's counters until 2026-11-30 00:52 UTC."
    )


@pytest.mark.parametrize("compared_ms", [0, NOW_MS - COMPARED_LATE_MS - 1])
def test_a_record_that_nobody_compares_is_no_good_one(compared_ms: int) -> None:
    ledger = {"entries": 3, "witnessed_entries": 0, "witnessed_s": 0, "compared_ms": compared_ms}
    told = record(ledger)
    assert (told.level, "postern-meter" in told.remedy) == ("warning", True)
    assert "witness has signed none" in told.detail
    assert ("Not compared" in told.detail) == (compared_ms == 0)


@pytest.mark.parametrize(("enrolled", "level"), [(True, "warning"), (False, "good")])
def test_without_a_courier_nobody_knows_the_record(enrolled: bool, level: str) -> None:
    told = record(None, enrolled=enrolled)
    assert (told.level, "does not answer" in told.detail) == (level, True)
