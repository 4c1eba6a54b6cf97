"""What passes the gate here and makes answers worse goes back by itself, at a site with a thousand passages.

By the site's own golden questions alone: whoever asks meanwhile gets an answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.config import site_paths
from edge.updates.probing import QUESTIONS_MAX
from models.catalog import DEFAULT_ENCODER
from models.golden import encoder_golden
from tests.contract.courier_process import until
from tests.integration.rollout_rig import (
    DOCUMENT,
    QUESTION,
    ROOT,
    Publisher,
    begun,
    documents,
    enrolled,
    more_answers,
    own_models,
    people_ask,
    told,
    until_gone_back,
    until_step,
)
from tests.integration.sync.rig import ControlPlaneProcess
from tests.projected_encoder import NAME, blind_folder
from tests.running import Customer, copy_site, running, with_port

pytestmark = [pytest.mark.long, pytest.mark.models]

LIMIT_S = 1500
TEMPLATES = ROOT / "edge" / "templates"
FILES, SECTIONS, SENTENCES = 25, 42, 2
"""Of what fills the site: each section is a passage."""
PASSAGES = 1_000
WORD = re.compile(r"[a-z]{3,}")


def probes() -> list[str]:
    """The golden questions that the watch asks."""
    lines = (TEMPLATES / "clinic" / "questions.jsonl").read_text().splitlines()
    known = [json.loads(line) for line in lines]
    return [one["question"] for one in known if one["doc"]][:QUESTIONS_MAX]


def worse_model(folder: Path) -> Path:
    """Right for all that the gate asks, blind for what this site is asked."""
    gate = set(WORD.findall(" ".join(encoder_golden().texts).lower()))
    return blind_folder(folder, sorted(set(WORD.findall(" ".join(probes()).lower())) - gate))


def worse_pack(folder: Path) -> Path:
    """Documents that have the words of the site's questions, and no answer."""
    folder.mkdir()
    for number, question in enumerate(probes()):
        for saying in ("ask at the desk", "nobody here knows", "it is being looked into"):
            text = f"# {question}\n\n{question} To this, {saying}.\n"
            (folder / f"{number}-{saying.replace(' ', '-')}.md").write_text(text)
    return folder


def fillers(folder: Path) -> Path:
    """Documents of a thousand passages: what Postern's own decisions say, in another order each time."""
    folder.mkdir()
    texts = [path.read_text() for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    sentences = [one for text in texts for one in re.findall(r"[A-Z][^.#|*\n]{40,160}\.", text)]
    choose = random.Random(1)
    for number in range(FILES):
        parts = [
            f"## Note {number}.{part}\n\n{' '.join(choose.sample(sentences, SENTENCES))}\n"
            for part in range(SECTIONS)
        ]
        (folder / f"notes-{number}.md").write_text("\n".join(parts))
    return folder


@pytest.fixture(scope="module")
def filled(prepared_clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic with its thousand passages, not to be run itself."""
    folder = tmp_path_factory.mktemp("filled")
    made = copy_site(prepared_clinic, folder)
    notes = str(fillers(folder / "notes"))
    subprocess.run([sys.executable, "-m", "edge.cli", "kb", "add", "--site", str(made), notes], check=True)
    return made


@pytest.fixture
def site(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = copy_site(filled, tmp_path)
    monkeypatch.setenv("POSTERN_MODELS", str(own_models(tmp_path / "models")))
    return made


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    plane = ControlPlaneProcess(tmp_path / "cloud")
    await plane.create()
    publisher = Publisher(plane, tmp_path)
    await publisher.begin()
    await publisher.publish("model", NAME, "1.0", worse_model(tmp_path / "model"))
    await publisher.publish("knowledge", "leaflets", "1.0", worse_pack(tmp_path / "pack"))
    await plane.start()
    yield plane
    await plane.stop()


async def state(site: Path) -> tuple[str, int]:
    """What answers: the encoder, and how many passages there are."""
    found = await told(site)
    return found["encoder"]["model"], found["knowledge"]["chunks"]


async def quoted(url: str) -> set[str]:
    """What a person is answered by."""
    async with Customer.at(url) as customer:
        return documents(await customer.ask(QUESTION))


@pytest.mark.timeout(LIMIT_S + 300)
@pytest.mark.parametrize("target", [f"model/{NAME}/1.0", "knowledge/leaflets/1.0"])
async def test_it_goes_back_and_the_control_plane_hears_why(
    cloud: ControlPlaneProcess, site: Path, target: str
) -> None:
    url = with_port(site)
    await enrolled(cloud, site)
    async with asyncio.timeout(LIMIT_S):
        with running(site):
            await until(site_paths(site).admin_socket.exists)
            before = await state(site)
            assert before[0] == DEFAULT_ENCODER
            assert before[1] >= PASSAGES
            assert await quoted(url) == {DOCUMENT}
            async with people_ask(url) as asking:
                rollout = await begun(cloud, target, "--watch", "600")
                await until_step(site, "watch")
                assert await state(site) != before
                await until_step(site, "roll_back", "")
                decided_s = time.monotonic()
                await until_step(site, "")
                print(f"{target}: back after {time.monotonic() - decided_s:.1f} s")
                assert await state(site) == before
                await more_answers(asking)
            assert await quoted(url) == {DOCUMENT}
            assert await until_gone_back(cloud, rollout) == "quality"
