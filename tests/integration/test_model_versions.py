"""What an operator meets with models: a damaged version, the way back, an encoder with other weights."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest

from models.catalog import DEFAULT_ENCODER, DEFAULT_LLM, models_dir
from models.importing import import_model
from models.versions import CURRENT_FILE, folders, model_folder
from tests import projected_encoder
from tests.model_files import placed
from tests.projected_encoder import projected_folder
from tests.running import Customer, command, copy_site, running
from tests.unit.models.small_model import flip_byte

SERVED = "encoder.int8.onnx"


@pytest.fixture
def two_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of the test's own: the default encoder twice, the language model once."""
    here = tmp_path / "models"
    encoder = model_folder(models_dir(), DEFAULT_ENCODER)
    for version in ("1-old", "2-new"):
        shutil.copytree(encoder, here / DEFAULT_ENCODER / version)
    (here / DEFAULT_ENCODER / CURRENT_FILE).write_text('{"version": "2-new", "before": "1-old"}')
    shutil.copytree(model_folder(models_dir(), DEFAULT_LLM), here / DEFAULT_LLM, copy_function=placed)
    monkeypatch.setenv("POSTERN_MODELS", str(here))
    return here


@pytest.mark.long
@pytest.mark.models
async def test_a_flipped_byte_in_the_current_version(
    prepared_clinic: Path, tmp_path: Path, two_versions: Path
) -> None:
    site = copy_site(prepared_clinic, tmp_path)
    current = folders(two_versions, DEFAULT_ENCODER)[0]
    flip_byte(current / SERVED)
    use = ("models", "use", "--site", str(site), DEFAULT_ENCODER)
    with running(site) as node:
        status = await command("status", "--site", str(site), "--json")
        setback = status["encoder"]["setback"]
        assert (setback["refused"], setback["serves"]) == ("2-new", "1-old")
        assert SERVED in setback["detail"]
        assert "encoder_version:model_refused" in status["fallbacks"]
        async with aiohttp.ClientSession(node.url) as http:
            metrics = await (await http.get("/metrics")).text()
        told = 'postern_fallback_active{component="encoder_version",reason="model_refused"} 1.0'
        assert told in metrics
        assert SERVED in (site / "run.log").read_text()
        diagnosis = await command("doctor", "--site", str(site), "--json", expect=3)
        (check,) = [one for one in diagnosis["checks"] if one["id"] == f"model.{DEFAULT_ENCODER}"]
        assert (check["ok"], check["severity"]) == (False, "error")
        assert "1-old serves" in check["found"]
        assert "--previous" in check["remedy"]
        assert SERVED in await command(*use, expect=3)
        assert (await command(*use, "--previous", "--json"))["version"] == "1-old"
        status = await command("status", "--site", str(site), "--json")
        assert "setback" not in status["encoder"]
        assert not [one for one in status["fallbacks"] if one.startswith("encoder_version")]
        # The way back is refused: it is the damaged one, and nothing has changed.
        assert SERVED in await command(*use, "--previous", expect=3)
        assert folders(two_versions, DEFAULT_ENCODER)[0].name == "1-old"


@pytest.mark.models
async def test_without_a_version_before_the_start_says_which_file(
    prepared_clinic: Path, tmp_path: Path, two_versions: Path
) -> None:
    site = copy_site(prepared_clinic, tmp_path)
    (two_versions / DEFAULT_ENCODER / CURRENT_FILE).write_text('{"version": "2-new"}')
    flip_byte(model_folder(two_versions, DEFAULT_ENCODER) / SERVED)
    assert SERVED in await command("node", "--site", str(site), expect=3)


@pytest.mark.long
@pytest.mark.models
async def test_another_encoder_after_a_restart(
    prepared_clinic: Path, tmp_path: Path, two_versions: Path
) -> None:
    """Other weights, another dimension: customers are answered from the start, and it is said what is weaker."""
    site = copy_site(prepared_clinic, tmp_path)
    import_model(projected_folder(tmp_path / "brought"), two_versions)
    assert (await command("models", "use", "--site", str(site), projected_encoder.NAME, "--json"))["version"]
    with running(site) as node:
        async with Customer.at(node.url) as customer:
            answer = await customer.ask("When are you open on Saturday?")
            assert answer["citations"] or answer["choices"], answer
            while (status := await command("status", "--site", str(site), "--json"))["knowledge"]["behind"]:
                assert "vectors:embedding" in status["fallbacks"]
            assert status["encoder"]["model"] == projected_encoder.NAME
            assert "fitted_models:other_encoder" in status["fallbacks"]
            assert "detector:no_tagger" in status["fallbacks"]
            assert status["detector"] == {"complete": False, "failing": False}
            assert "vectors:embedding" not in status["fallbacks"]
            assert (await customer.ask("When are you open on Saturday?"))["route"]
        diagnosis = await command("doctor", "--site", str(site), "--json")
        for name in ("fitted_models", "detector"):
            (check,) = [one for one in diagnosis["checks"] if one["id"] == name]
            assert (check["ok"], check["severity"]) == (False, "warning")
    found = await command("kb", "search", "--site", str(site), "opening hours on Saturday", "--json")
    assert found


@pytest.mark.long  # half a minute: two encoders build vectors while customers ask
@pytest.mark.models
async def test_another_encoder_while_customers_ask(
    prepared_clinic: Path, tmp_path: Path, two_versions: Path
) -> None:
    """Other weights, another dimension, and back again: no question fails, and both ways serve after a restart."""
    site = copy_site(prepared_clinic, tmp_path)
    import_model(projected_folder(tmp_path / "brought"), two_versions)
    use = ("models", "use", "--site", str(site))
    with (site / "site.toml").open("a") as settings:
        settings.write("\n[limits]\nturns_per_minute = 100000\n")
    with running(site) as node:
        async with Customer.at(node.url) as customer:
            done, asked = asyncio.Event(), 0

            async def ask() -> int:
                count = 0
                while not done.is_set():
                    answer = await customer.ask(f"When are you open on Saturday? {count}")
                    assert answer["route"]
                    count += 1
                return count

            asking = asyncio.create_task(ask())
            for name in (projected_encoder.NAME, DEFAULT_ENCODER, projected_encoder.NAME):
                told = await command(*use, name, "--json")
                assert (told["model"], told["serves"]) == (name, "now")
                status = await command("status", "--site", str(site), "--json")
                assert status["encoder"]["model"] == name
                assert not status["knowledge"]["behind"]
                other = name != DEFAULT_ENCODER
                assert ("fitted_models:other_encoder" in status["fallbacks"]) is other
                found = await command("kb", "search", "--site", str(site), "opening hours", "--json")
                assert found
                assert not asking.done()
            done.set()
            asked = await asking
            assert asked
    assert 'encoder = "projected"' in (site / "site.toml").read_text()
    with running(site) as node:
        status = await command("status", "--site", str(site), "--json")
        assert not status["knowledge"]["behind"]
        assert "vectors:embedding" not in status["fallbacks"]
