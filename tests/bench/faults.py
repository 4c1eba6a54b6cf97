"""Every upstream fault × every provider × before and after the first text: how often a customer's answer ends wrongly.

Wrong is a part that is shown as the whole, quotes although another provider was there, or an answer that comes late.
What is real and what is by script: tests/fault_matrix.py. `python -m tests.bench.faults --json`
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections import Counter
from statistics import median

from tests.bench.harness import Report, arguments, percentile, progress, run
from tests.fault_matrix import ANSWER_S, FIRST_TEXT_S, Verdict, cases, matrix

AT_ONCE = 12
"""Cases that wait side by side: what is judged is how they end, and a case's seconds are mostly waiting."""


def main(options: argparse.Namespace) -> Report:
    logging.disable(logging.WARNING)  # each fault is logged, as it should be
    report = Report("faults", {"first_text_s": FIRST_TEXT_S, "answer_s": ANSWER_S, "at_once": AT_ONCE})
    found = asyncio.run(_all())
    wrong = [verdict for verdict in found if verdict.wrong]
    report.results = {
        "cases": len(found),
        "by_provider": dict(Counter(verdict.case.provider for verdict in found)),
        "whole": sum(bool(verdict.text) for verdict in found),
        "quoted": sum(not verdict.text for verdict in found),
        "wrong": {str(verdict.case): verdict.wrong for verdict in wrong},
        "seconds_median": round(median(verdict.seconds for verdict in found), 3),
        "seconds_p99": round(percentile([verdict.seconds for verdict in found], 99), 3),
    }
    progress(f"{len(found)} cases, {len(wrong)} wrong")
    report.judged["faults_wrong"] = len(wrong)
    return report


async def _all() -> list[Verdict]:
    async with matrix() as made:
        return await made.run(cases(), AT_ONCE)


if __name__ == "__main__":
    sys.exit(run(arguments("faults", 60), main))
