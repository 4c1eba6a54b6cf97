"""Node and worker over a real socket, with the worker in a process of its own."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from core.local_socket import FRAME_BYTES_MAX
from edge.inference.worker_client import (
    Ended,
    GenerationFailed,
    GenerationTimedOut,
    WorkerBusy,
    WorkerClient,
    WorkerDied,
    WorkerUnreachable,
)
from models.catalog import DEFAULT_LLM, models_dir
from models.records import model_folder

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
QUESTION = [
    ("system", "Answer from the text only."),
    ("user", "Text: The lift is to the left.\n\nQuestion: Where is the lift?"),
]


@asynccontextmanager
async def worker(
    kind: str, *uids: str
) -> AsyncIterator[tuple[WorkerClient, asyncio.subprocess.Process, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "worker.sock"
        process = await start(path, kind, *uids)
        client = WorkerClient(path)
        try:
            yield client, process, path
        finally:
            await client.close()
            if process.returncode is None:
                process.kill()
            await process.wait()


async def start(path: Path, kind: str, *uids: str) -> asyncio.subprocess.Process:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    command = [sys.executable, str(Path(__file__).with_name("worker_process.py")), str(path), kind, *uids]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=ROOT)
    await until(lambda: accepts(path))
    return process


async def accepts(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not await condition():
            await asyncio.sleep(0.02)


async def collect(client: WorkerClient, tokens: int, deadline_s: float = 20.0) -> list[str]:
    return [text async for text in client.generate(QUESTION, max_new_tokens=tokens, deadline_s=deadline_s)]


async def test_text_streams_and_ends() -> None:
    async with worker("scripted") as (client, _, _):
        assert client.ready
        assert (await client.health()).state == "cold"
        assert await collect(client, 5) == ["word "] * 5
        health = await client.health()
        assert (health.state, health.runtime, health.waiting) == ("ready", "scripted", 0)


async def test_it_is_told_how_it_ended() -> None:
    async with worker("scripted") as (client, _, _):
        for stops, said, finish in (((), "word word word ", "length"), (("rd w", "x"), "wo", "stop")):
            ends: list[Ended] = []
            generating = client.generate(
                QUESTION, max_new_tokens=3, deadline_s=20, stops=stops, on_end=ends.append
            )
            assert "".join([text async for text in generating]) == said
            (end,) = ends
            assert end.finish == finish
            assert end.prompt_tokens > 0
            assert end.new_tokens > 0
        with pytest.raises(GenerationFailed):
            await anext(client.generate(QUESTION, max_new_tokens=3, deadline_s=20, stops=("",)))


async def test_preload_answers_when_the_model_is_there() -> None:
    async with worker("scripted") as (client, process, _):
        assert (await client.preload()).state == "ready"
        assert (await client.health()).pid == process.pid


async def test_several_generations_share_a_connection() -> None:
    async with worker("scripted") as (client, _, _):
        answers = await asyncio.gather(*(collect(client, tokens) for tokens in (3, 4)))
        assert [len(answer) for answer in answers] == [3, 4]


async def test_a_full_line_refuses_at_once_and_says_when_to_come_back() -> None:
    async with worker("scripted") as (client, _, _):
        first = client.generate(QUESTION, max_new_tokens=1000, deadline_s=60)
        await anext(first)
        waiting = [asyncio.create_task(collect(client, 1000, 60)) for _ in range(2)]

        async def line_is_full() -> bool:
            return (await client.health()).waiting == 2

        await until(line_is_full)
        with pytest.raises(WorkerBusy) as caught:
            await collect(client, 1)
        assert caught.value.retry_after_s > 0
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await first.aclose()
        assert len(await collect(client, 2)) == 2


async def test_another_model_takes_over_and_nobody_is_refused() -> None:
    async with worker("scripted") as (client, _, _):
        running = client.generate(QUESTION, max_new_tokens=100, deadline_s=60)
        said = [await anext(running)]
        waiting = asyncio.create_task(collect(client, 3))
        health = await client.use("other")
        assert (health.model, health.state) == ("other", "ready")
        said += [text async for text in running]
        assert said == ["word "] * 100
        assert await waiting == ["other "] * 3
        with pytest.raises(GenerationFailed, match=r"weights\.bin"):
            await client.use("damaged")
        assert (await client.health()).model == "other"
        assert await collect(client, 2) == ["other "] * 2


async def test_leaving_early_stops_the_model() -> None:
    async with worker("scripted") as (client, _, _):
        async with aclosing(client.generate(QUESTION, max_new_tokens=1000, deadline_s=60)) as answer:
            await anext(answer)
        # 1,000 words would take ten seconds; what comes next starts as soon as the first has stopped.
        async with asyncio.timeout(9):
            assert len(await collect(client, 2)) == 2


async def test_the_deadline_ends_running_and_waiting_answers() -> None:
    async with worker("scripted") as (client, _, _):
        answers = [asyncio.create_task(collect(client, 1000, deadline)) for deadline in (0.5, 0.2)]
        done, _ = await asyncio.wait(answers, timeout=START_TIMEOUT_S)
        assert len(done) == 2
        for answer in answers:
            with pytest.raises(GenerationTimedOut):
                answer.result()


async def test_a_killed_worker_is_told_from_a_finished_answer_and_the_next_one_serves() -> None:
    async with worker("scripted") as (client, process, path):
        answer = client.generate(QUESTION, max_new_tokens=1000, deadline_s=60)
        assert await anext(answer) == "word "
        process.kill()
        with pytest.raises(WorkerDied):
            async for _ in answer:
                pass
        assert not client.ready
        await process.wait()
        with pytest.raises(WorkerUnreachable):
            await collect(client, 1)
        successor = await start(path, "scripted")
        try:
            assert await collect(client, 3) == ["word "] * 3
        finally:
            successor.kill()
            await successor.wait()


async def test_a_stopped_worker_is_given_up_after_the_deadline() -> None:
    async with worker("scripted") as (client, process, _):
        await collect(client, 1)
        answer = client.generate(QUESTION, max_new_tokens=1000, deadline_s=2.0)
        await anext(answer)
        process.send_signal(19)  # SIGSTOP: it hangs, and the socket stays open
        with pytest.raises(GenerationTimedOut):
            async for _ in answer:
                pass
        assert not client.ready
        process.send_signal(18)


async def test_it_stops_cleanly_with_an_answer_under_way() -> None:
    async with worker("scripted") as (client, process, path):
        answer = client.generate(QUESTION, max_new_tokens=1000, deadline_s=60)
        await anext(answer)
        process.terminate()
        with pytest.raises(WorkerDied):
            async for _ in answer:
                pass
        assert await asyncio.wait_for(process.wait(), START_TIMEOUT_S) == 0
        assert not path.exists()


async def test_other_users_are_cut_off() -> None:
    async with worker("scripted", str(os.getuid() + 1)) as (client, _, _):
        with pytest.raises(WorkerDied):
            await client.health()


async def test_an_oversized_frame_ends_the_connection_and_only_that() -> None:
    async with worker("scripted") as (client, _, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(struct.pack(">I", FRAME_BYTES_MAX + 1))
        assert await asyncio.wait_for(reader.read(), START_TIMEOUT_S) == b""
        writer.close()
        assert (await client.health()).state == "cold"


async def test_a_request_out_of_bounds_is_refused() -> None:
    async with worker("scripted") as (client, _, _):
        for messages, tokens in ((QUESTION, 0), (QUESTION, 100_000), ([("judge", "x")], 5), ([], 5)):
            with pytest.raises(GenerationFailed) as caught:
                async for _ in client.generate(messages, max_new_tokens=tokens, deadline_s=20):
                    pass
            assert caught.value.reason == "bad_request"


async def test_a_prompt_that_does_not_fit_is_refused_without_a_word_of_it() -> None:
    async with worker("scripted") as (client, _, _):
        with pytest.raises(GenerationFailed) as caught:
            async for _ in client.generate([("user", "secret " * 3000)], max_new_tokens=5, deadline_s=20):
                pass
        assert caught.value.reason == "prompt_too_long"
        assert "secret" not in str(caught.value)


@pytest.mark.models
async def test_the_default_model_answers_and_survives_being_left() -> None:
    if not (model_folder(models_dir(), DEFAULT_LLM) / "gate.json").is_file():
        pytest.skip("the models are not built")
    async with worker("model") as (client, process, _):
        assert (await client.preload()).state == "ready"
        assert "left" in "".join(await collect(client, 40, 60)).lower()
        async with aclosing(client.generate(QUESTION, max_new_tokens=200, deadline_s=60)) as answer:
            await anext(answer)
        answer = client.generate(QUESTION, max_new_tokens=200, deadline_s=60)
        await anext(answer)
        assert internet_sockets(process.pid) == 0
        process.kill()
        with pytest.raises(WorkerDied):
            async for _ in answer:
                pass


def internet_sockets(pid: int) -> int:
    """IP sockets that the process has open (Linux)."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    tables = [
        Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        for name in ("tcp", "tcp6", "udp", "udp6")
    ]
    listed = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
    return len(inodes & listed)


@pytest.mark.models
async def test_three_at_once_get_each_their_own_answer_and_one_may_leave() -> None:
    """What is kept of one prompt (the part they share) never brings a word of it into another's answer."""
    if not (model_folder(models_dir(), DEFAULT_LLM) / "gate.json").is_file():
        pytest.skip("the models are not built")

    def about(place: str) -> list[tuple[str, str]]:
        text = f"Text: The pharmacy is in the {place}.\n\nQuestion: Where is the pharmacy?"
        return [QUESTION[0], ("user", text)]

    async def answer(client: WorkerClient, place: str) -> str:
        generated = client.generate(about(place), max_new_tokens=30, deadline_s=90)
        return "".join([text async for text in generated]).lower()

    places = ("basement", "garden")
    async with worker("model") as (client, _, _):
        leaving = client.generate(about("tower"), max_new_tokens=1000, deadline_s=90)
        await anext(leaving)
        waiting = [asyncio.create_task(answer(client, place)) for place in places]
        await leaving.aclose()
        answers = await asyncio.gather(*waiting)
        for place, found in zip(places, answers, strict=True):
            assert place in found
            assert not [other for other in ("tower", *places) if other != place and other in found]
