"""Long work: progress and result stay, failures have a remedy, and there is a limit to both."""

from __future__ import annotations

import asyncio

import pytest

from edge.web.admin import OnProgress, Progress
from edge.web.console import jobs
from edge.web.console.documents_pages import NoFile
from edge.web.console.jobs import Jobs, NoSuchJob, TooMuchWork


async def test_progress_and_result_can_be_looked_at_again_and_again() -> None:
    all_jobs, gate, shown = Jobs(), asyncio.Event(), asyncio.Event()

    async def work(on_progress: OnProgress) -> object:
        on_progress(Progress(1, 4, "a.md"))
        await asyncio.sleep(0)
        shown.set()
        await gate.wait()
        return ["a.md"]

    job = all_jobs.start("upload", "ada", work)
    await shown.wait()
    assert (all_jobs.get(job.id).percent, job.what, job.state) == (25, "a.md", "running")
    gate.set()
    assert job.task is not None
    await job.task
    assert (all_jobs.get(job.id).state, job.result) == ("done", ["a.md"])
    assert all_jobs.of("upload") == [job]
    assert all_jobs.of("train") == []


@pytest.mark.parametrize(("error", "code"), [(NoFile(), "no_file"), (ValueError("secret"), "internal_error")])
async def test_a_failure_is_kept_with_what_to_do(error: Exception, code: str) -> None:
    async def work(_: OnProgress) -> object:
        raise error

    job = Jobs().start("upload", "ada", work)
    assert job.task is not None
    await job.task
    assert job.state == "failed"
    assert job.fault is not None
    assert (job.fault.code, "secret" in job.fault.detail) == (code, False)


async def test_at_the_limit_more_work_is_refused_and_one_that_ends_makes_room() -> None:
    all_jobs, gate = Jobs(), asyncio.Event()

    async def work(_: OnProgress) -> object:
        return await gate.wait()

    running = [all_jobs.start("upload", "ada", work) for _ in range(jobs.RUNNING_MAX)]
    with pytest.raises(TooMuchWork):
        all_jobs.start("upload", "ada", work)
    gate.set()
    await asyncio.gather(*(job.task for job in running if job.task))
    all_jobs.start("upload", "ada", work)


async def test_the_oldest_finished_work_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOBS_MAX", 2)
    all_jobs = Jobs()

    async def work(_: OnProgress) -> object:
        return None

    made = []
    for _ in range(4):
        job = all_jobs.start("upload", "ada", work)
        assert job.task is not None
        await job.task
        made.append(job.id)
    assert [job.id for job in all_jobs.of("upload")] == made[:1:-1]
    with pytest.raises(NoSuchJob):
        all_jobs.get(made[0])
