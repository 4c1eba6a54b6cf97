"""No report claims what nobody has looked at, or more than the product does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from edge.node_status import SHARED_ACCOUNT, SWAPPABLE, UNCONFINED
from edge.privacy import policy_files
from edge.privacy.report.assembly import report
from edge.privacy.report.document import Gap, Table, walk
from edge.report_facts import Sources, gather
from edge.site_setup import policy_pack
from tests.measured_node import INVENTED
from tests.unit.edge.privacy.report.rig import sample_site, with_settings

KERNEL = "the kernel refuses connections to the internet to all but the courier"
SHARED, LOOSE, SWAP = (":".join(weaker) for weaker in (SHARED_ACCOUNT, UNCONFINED, SWAPPABLE))


@pytest_asyncio.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Sources]:
    async with sample_site(tmp_path) as known:
        yield known


async def told(known: Sources) -> str:
    return report(await gather(known)).model_dump_json()


async def cells(known: Sources, row: str) -> list[object]:
    """What stands beside a row's first cell, wherever that row is."""
    sections = walk(report(await gather(known)).sections)
    tables = [block for section, _ in sections for block in section.blocks if isinstance(block, Table)]
    return [cell for table in tables for first, *rest in table.rows if first == row for cell in rest]


async def test_without_a_node_nothing_is_claimed_of_the_kernel_and_of_memory(clinic: Sources) -> None:
    clinic.paths.courier.mkdir(exist_ok=True)
    said = await told(clinic)
    assert KERNEL not in said
    assert "Whether the kernel enforces it as well is not known: no node runs." in said
    assert "Swap is impossible here" not in said
    assert "Whether swap is possible is not known: no node runs." in said
    assert "Whether the processes have accounts of their own is not known" in said
    assert "Whether memory can be swapped to a disk is not known" in said


@pytest.mark.parametrize(
    ("fallbacks", "kernel", "shared", "swap"),
    [
        ((), True, False, False),
        ((SHARED,), False, True, False),
        ((LOOSE,), False, True, False),
        ((SWAP,), True, False, True),
    ],
    ids=["apart", "one account", "no rules", "swap"],
)
async def test_a_running_node_says_how_it_is(
    clinic: Sources, fallbacks: tuple[str, ...], kernel: bool, shared: bool, swap: bool
) -> None:
    said = await told(replace(clinic, status={"fallbacks": fallbacks}))
    assert (KERNEL in said) is kernel
    assert ("The processes share one account at this site, or the rules" in said) is shared
    assert ("Memory can be swapped to a disk at this site" in said) is swap
    assert "no node runs" not in said


@pytest.mark.parametrize(("backups", "known"), [(0, "knows of none"), (3, "knows of 3 of them")])
async def test_the_end_of_a_contract_takes_backups_and_the_recovery_key(
    clinic: Sources, backups: int, known: str
) -> None:
    facts = await gather(clinic)
    tables = tuple(
        table.model_copy(update={"rows": backups}) if table.name == "backups" else table
        for table in facts.tables
    )
    said = report(facts.model_copy(update={"tables": tables})).model_dump_json()
    assert "removes everything" not in said
    assert f"backups, with the file of keys beside each (this site {known}), the recovery key" in said


async def test_what_binds_a_login_is_not_told_as_more_than_it_is(clinic: Sources) -> None:
    said = await told(clinic)
    assert "only in the browser that made it" not in said
    assert "refused from another address or kind of browser" in said
    assert "programs' tokens are not bound so" in said


async def test_only_what_is_sealed_twice_is_called_so(clinic: Sources) -> None:
    said = await told(clinic)
    assert "Words of customers are sealed" not in said
    assert "Words in conversations and tickets are sealed once more" in said
    assert "Questions without an answer and examples are not" in said


async def test_a_legal_hold_is_no_restriction_of_use(clinic: Sources) -> None:
    (cell,) = await cells(clinic, "Restriction (Art. 18)")
    assert isinstance(cell, Gap)


async def test_that_texts_go_to_the_control_plane_is_said_where_they_can(clinic: Sources) -> None:
    """A model's words wanted, enrolled, and a policy under which text passes: with any of them missing none goes."""
    policy = policy_pack("clinic", datetime.now(UTC)).replace('risk = "moderate"', 'risk = "high"', 1)
    policy_files.save(clinic.paths, policy, datetime.now(UTC))
    enrolled = {"sync": {"control_plane": "cloud.example:8091"}}
    writes = with_settings(clinic.config, answer={"mode": "generative"})
    nothing = "None: no text is handed on at this site as it is configured."
    for known in (
        replace(clinic, status=enrolled),
        replace(clinic, config=writes),
    ):
        said = await told(known)
        assert nothing in said
        assert "texts that its language model is to answer" not in said
    shipped_detector = await told(replace(clinic, config=writes, status=enrolled))
    assert nothing in shipped_detector
    said = await told(replace(clinic, config=writes, status=enrolled, rates=INVENTED))
    assert nothing not in said
    assert "The control plane at cloud.example:8091, as far as the policy permits." in said
    assert "Texts go there as well when nobody at the site can answer in time" in said
    assert "what the providers of its language models keep, the product cannot see" in said
    assert "no words and no rows about anybody" not in said
