"""A device that is asked for and not there is told everywhere by the time that the node serves."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from models.errors import DeviceMissing
from models.probe import check_device
from tests.running import command, copy_site, running


def _is_here(device: str) -> bool:
    try:
        check_device(device)
    except DeviceMissing:
        return False
    return True


@pytest.mark.long
@pytest.mark.models
@pytest.mark.parametrize("device", ["cuda", "npu"])
async def test_what_is_asked_for_and_not_there(prepared_clinic: Path, tmp_path: Path, device: str) -> None:
    if _is_here(device.upper()):
        pytest.skip("this machine has one")
    site = copy_site(prepared_clinic, tmp_path)
    with (site / "site.toml").open("a") as settings:
        settings.write(f'\n[models]\ndevice = "{device}"\n')
    diagnosis = await command("doctor", "--site", str(site), "--json", expect=3)
    (check,) = [each for each in diagnosis["checks"] if each["id"] == "device"]
    assert (check["ok"], check["severity"]) == (False, "error")
    with running(site) as node:
        status = await command("status", "--site", str(site), "--json")
        told = status["encoder"]["fallback"]
        assert told["wanted"] == device
        assert told["detail"]
        assert told["remedy"] == check["remedy"]
        assert f"encoder:{told['reason']}" in status["fallbacks"]
        async with aiohttp.ClientSession(node.url) as http:
            metrics = await (await http.get("/metrics")).text()
        assert f'postern_fallback_active{{component="encoder",reason="{told["reason"]}"}} 1.0' in metrics
        assert told["reason"] in (site / "run.log").read_text()
