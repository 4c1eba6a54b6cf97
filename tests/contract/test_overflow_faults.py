"""Whatever goes wrong with whoever writes, a customer sees a whole answer or quotes, never a part as the whole."""

from __future__ import annotations

import pytest

from tests.fault_matrix import Case, cases, matrix, short_cases

AT_ONCE = 12
"""Cases that wait side by side; more of them make each other late on two cores."""


async def _wrong(asked: list[Case], patience: float = 1.0) -> dict[str, str]:
    async with matrix(patience) as made:
        found = await made.run(asked, AT_ONCE)
    assert len(found) == len(asked)
    return {str(verdict.case): verdict.wrong for verdict in found if verdict.wrong}


async def test_a_third_of_the_matrix_of_faults() -> None:
    # In none of them somebody says nothing: nobody need be hurried.
    assert await _wrong(short_cases(), patience=10.0) == {}


@pytest.mark.long
async def test_the_whole_matrix_of_faults() -> None:
    assert await _wrong(cases()) == {}
