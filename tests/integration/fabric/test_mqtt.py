"""Presence through real brokers, amqtt inside the process and mosquitto by configuration; kiosks are processes."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import REGISTRY

from core.files import private_folder
from edge.config import Config, MqttSection, SiteSection, site_paths
from edge.fabric.address import read_address
from edge.fabric.devices import Devices
from tests.ports import free_port

SITE = "clinic"
WAIT_S = 60.0
BIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
MOSQUITTO = shutil.which("mosquitto", path=BIN)
MOSQUITTO_PASSWD = shutil.which("mosquitto_passwd", path=BIN)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, at most WAIT_S."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {WAIT_S} s: {what}")


def fallback(component: str, reason: str) -> float:
    """The gauge that tells a fallback; 0 when it was never set."""
    value = REGISTRY.get_sample_value("postern_fallback_active", {"component": component, "reason": reason})
    return value or 0.0


def states(devices: Devices) -> dict[str, str]:
    return {device.id: device.state for device in devices.snapshot()}


class RefusalsKept:
    """What would become rows of audit: actor, action, object."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    async def __call__(self, actor: str, action: str, object: str) -> None:
        self.rows.append((actor, action, object))


def refused_at(devices: Devices) -> list[tuple[str, str, str]]:
    kept = devices._refused
    assert isinstance(kept, RefusalsKept)
    return kept.rows


def devices_of(folder: Path, mqtt_section: MqttSection) -> Devices:
    paths = site_paths(folder)
    private_folder(paths.keys)
    config = Config(site=SiteSection(name="A clinic", id=SITE), mqtt=mqtt_section)
    return Devices(config, paths, RefusalsKept())


@asynccontextmanager
async def running(folder: Path, mqtt_section: MqttSection) -> AsyncIterator[Devices]:
    """The device part of a node, started; the embedded broker serves by then."""
    devices = devices_of(folder, mqtt_section)
    await devices.start()
    try:
        yield devices
    finally:
        await devices.stop()


@asynccontextmanager
async def kiosk_of(folder: Path, device_id: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A kiosk's presence client, once it has said that it is online."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.fabric.kiosk", "--site", str(folder), "--id", device_id,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), WAIT_S)
        assert json.loads(line) == {"event": "online", "id": device_id}
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def mosquitto_site(folder: Path, port: int) -> MqttSection:
    """Configuration of the distribution's broker with one login, and of the node that uses it."""
    password = folder / "site.password"
    password.write_text("a-password-of-the-site\n")
    logins = folder / "logins"
    subprocess.run(
        [str(MOSQUITTO_PASSWD), "-b", "-c", str(logins), "site", "a-password-of-the-site"], check=True
    )
    logins.chmod(0o600)
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {logins}\nuser {getpass.getuser()}\n"
    )
    return MqttSection(broker="external", port=port, username="site", password_file=password)


@asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[None]:
    """The distribution's broker, until killed at the end."""
    command = [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def _processes(folder: Path) -> list[psutil.Process]:
    """Kiosks of this test that run."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # that is over
            if str(folder) in " ".join(child.cmdline()):
                found.append(child)
    return found


async def _lifetime_of_a_kiosk(folder: Path, devices: Devices) -> None:
    """Comes, leaves politely, comes again, is killed: the list says so each time."""
    async with kiosk_of(folder, "lobby") as process:
        await until(lambda: states(devices) == {"lobby": "online"}, "the kiosk came")
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), WAIT_S)
        await until(lambda: states(devices) == {"lobby": "offline"}, "the kiosk said goodbye")
    async with kiosk_of(folder, "lobby") as process:
        await until(lambda: states(devices) == {"lobby": "online"}, "the kiosk came back")
        process.kill()
        await until(lambda: states(devices) == {"lobby": "offline"}, "its last will was carried out")
    assert devices.snapshot()[0].last_seen is not None


async def test_embedded_broker_hears_a_kiosk_come_and_go(tmp_path: Path) -> None:
    async with running(tmp_path, MqttSection(port=0)) as devices:
        await _lifetime_of_a_kiosk(tmp_path, devices)


async def test_a_kiosk_that_starts_before_the_node_waits_for_it(tmp_path: Path) -> None:
    async def online() -> None:
        async with kiosk_of(tmp_path, "lobby"):
            pass

    kiosk = asyncio.create_task(online())
    await until(lambda: bool(_processes(tmp_path)), "the kiosk's process runs")
    async with running(tmp_path, MqttSection(port=0)):
        await kiosk


async def test_embedded_broker_takes_a_free_port_when_its_own_is_taken(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken, running(tmp_path, MqttSection(port=port)):
        assert read_address(tmp_path / "run")[1].port != port


@pytest.mark.proves("access")
@pytest.mark.parametrize(
    ("username", "password"), [("kiosk", "guess"), ("node", ""), ("admin", "x"), (None, None)]
)
async def test_embedded_broker_refuses_strangers(
    tmp_path: Path, username: str | None, password: str | None
) -> None:
    async with running(tmp_path, MqttSection(port=0)) as devices:
        address = read_address(tmp_path / "run")[1]
        answers: list[bool] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="stranger")
        client.username_pw_set(username, password)
        client.on_connect = lambda _c, _d, _f, reason, _p: answers.append(reason.is_failure)
        client.on_disconnect = lambda *_: answers.append(True)
        client.connect_async(address.host, address.port)
        client.loop_start()
        await until(lambda: bool(answers), "an answer to the stranger")
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
        assert answers[0] is True
        actor = username if username in ("kiosk", "node") else "unknown"
        assert (actor, "mqtt.refused", "login") in refused_at(devices)


async def test_a_kiosk_can_neither_listen_nor_speak_elsewhere(tmp_path: Path) -> None:
    async with running(tmp_path, MqttSection(port=0)) as devices:
        address = read_address(tmp_path / "run")[1]
        assert address.password_file is not None
        refused: list[bool] = []
        heard: list[str] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="curious")
        client.username_pw_set("kiosk", address.password_file.read_text())
        client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        client.on_subscribe = lambda _c, _d, _m, reasons, _p: refused.append(reasons[0].is_failure)
        client.on_message = lambda _c, _d, message: heard.append(message.topic)
        client.connect_async(address.host, address.port)
        client.loop_start()
        await until(lambda: bool(refused), "an answer to the subscription")
        client.publish("postern/other/kiosk/lobby/presence", b'{"state":"online"}', qos=0)
        client.publish(f"postern/{SITE}/kiosk/annex/presence", b'{"state":"online"}', qos=0)
        await until(lambda: states(devices) == {"annex": "online"}, "the permitted message")
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
        assert refused == [True] and heard == []
        assert refused_at(devices) == [("kiosk", "mqtt.refused", what) for what in ("subscribe", "publish")]


async def test_a_fallback_is_loud_when_the_password_file_is_missing(tmp_path: Path) -> None:
    section = MqttSection(broker="external", username="site", password_file=tmp_path / "absent")
    async with running(tmp_path, section) as devices:
        assert devices.snapshot() == ()
    assert fallback("mqtt", "bad_configuration") == 1


@pytest.mark.needs_mosquitto
@pytest.mark.skipif(MOSQUITTO is None or MOSQUITTO_PASSWD is None, reason="mosquitto is not installed")
async def test_a_broker_of_the_site_and_its_loss(tmp_path: Path) -> None:
    section = mosquitto_site(tmp_path, free_port())
    async with running(tmp_path, section) as devices:
        async with mosquitto(tmp_path):
            await _lifetime_of_a_kiosk(tmp_path, devices)
        await until(lambda: states(devices) == {"lobby": "unknown"}, "the broker's loss")
        async with mosquitto(tmp_path), kiosk_of(tmp_path, "lobby"):
            await until(lambda: states(devices) == {"lobby": "online"}, "the kiosk came back with the broker")
