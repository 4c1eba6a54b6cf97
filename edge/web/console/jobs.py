"""Long work that a page starts and comes back to: progress and result are kept here, however often the page is loaded.

In memory: what the work changes is in the store, so a restart loses the account of it, not the work.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from core.errors import PosternError
from edge.web.admin import OnProgress, Progress

log = logging.getLogger(__name__)

# Jobs that are remembered; the oldest finished one is forgotten first.
JOBS_MAX = 50
# Work that goes on at once: each takes a core for a while, and customers come first.
RUNNING_MAX = 2
ID_BYTES = 9

State = Literal["running", "done", "failed"]


class TooMuchWork(PosternError):
    """As much long work is under way as the node takes on."""

    code = "too_much_work"
    title = "The node is busy with other work"
    remedy = "Wait until it is done, then send the form again."
    status = 409


class NoSuchJob(PosternError):
    """The work is not known, or was long ago."""

    code = "no_such_job"
    title = "There is no such work"
    remedy = "It was long ago, or the node has been restarted. Look at the page where you began it."
    status = 404


@dataclass
class Job:
    """One piece of long work. `report` and `result` are plain JSON."""

    id: str
    kind: str
    actor: str
    state: State = "running"
    done: int = 0
    total: int = 0
    what: str = ""
    result: object = None
    fault: PosternError | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100; 0 while that is not known."""
        return min(100, 100 * self.done // self.total) if self.total else 0


class Jobs:
    """The long work of one node. Used from one event loop."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def start(self, kind: str, actor: str, work: Callable[[OnProgress], Awaitable[object]]) -> Job:
        """Begin; the work gets a function that tells how far it is. Raises TooMuchWork."""
        if sum(job.state == "running" for job in self._jobs.values()) >= RUNNING_MAX:
            raise TooMuchWork
        job = Job(secrets.token_urlsafe(ID_BYTES), kind, actor)
        self._jobs[job.id] = job
        self._forget()
        job.task = asyncio.get_running_loop().create_task(self._run(job, work), name=f"console-{kind}")
        return job

    def get(self, job_id: str) -> Job:
        """Raises NoSuchJob."""
        found = self._jobs.get(job_id)
        if found is None:
            raise NoSuchJob
        return found

    def of(self, kind: str) -> list[Job]:
        """Remembered work of a kind, newest first."""
        return [job for job in reversed(self._jobs.values()) if job.kind == kind]

    async def _run(self, job: Job, work: Callable[[OnProgress], Awaitable[object]]) -> None:
        loop = asyncio.get_running_loop()

        def show(progress: Progress) -> None:
            job.done, job.total, job.what = progress.done, progress.total, progress.what

        def report(progress: Progress) -> None:
            """Operations may report from their own threads."""
            loop.call_soon_threadsafe(show, progress)

        try:
            job.result = await work(report)
            job.state = "done"
        except PosternError as error:
            job.state, job.fault = "failed", error
        except Exception as error:
            log.error("long work failed", extra={"kind": job.kind, "error": type(error).__name__})
            job.state, job.fault = "failed", PosternError()

    def _forget(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.state != "running"]
        for job_id in finished[: max(0, len(self._jobs) - JOBS_MAX)]:
            del self._jobs[job_id]
