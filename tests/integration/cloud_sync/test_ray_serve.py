"""The Ray Serve deployment on real clusters: one machine with a real model, two nodes and a scripted one under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path

import aiohttp
import grpc
import psutil
import pytest

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.openai_server import OpenAiServer
from cloud_sync.overflow.provider import Asked, Written
from cloud_sync.overflow.ray_cluster import settings as ray_settings
from cloud_sync.overflow.served_completions import BODY_BYTES_MAX
from core import identity as certificates
from core.completions.asking import PATH, Deadlines
from tests.bench.ray_serve import REPLICAS, scenario
from tests.ports import free_ports
from tests.ray_nodes import PYTHON, ROOT
from tests.running import STOP_TIMEOUT_S
from tests.unit.test_licences import READ_BY_HAND, is_permitted, named_licences

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

COMMAND = PYTHON.with_name("postern-cloud")
CANARY = "Wrenfieldlake"
MODEL = "smollm2-135m-instruct"

# Of Serve's replicas, for each other: everywhere, whatever is asked for, and closed without the cluster's token.
BETWEEN_REPLICAS = "ray::ServeReplica"


@pytest.fixture(scope="module", autouse=True)
def ray_environment() -> None:
    subprocess.run(["make", "-s", "ray-setup"], cwd=ROOT, check=True, timeout=540)


async def test_no_turn_fails_while_a_cluster_grows_is_updated_and_loses_a_node() -> None:
    parts = await scenario(2.0)
    assert sum(parts["grow"]["grow"].values()) == REPLICAS
    assert {name: part["failed"] for name, part in parts.items()} == dict.fromkeys(parts, 0)
    assert parts["update"]["new"] > 0
    assert parts["refused_update"]["refuse"] == "ray_deployment_failed"
    assert parts["refused_update"]["old"] == 0
    assert parts["node_killed"]["kill"] > 0


@dataclass(frozen=True)
class OneMachine:
    process: subprocess.Popen[str]
    url: str
    key_file: Path
    cluster: str
    environment: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def one_machine(ray_environment: None) -> Iterator[OneMachine]:
    """`postern-cloud ray run`; its folder has a short path, for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="ray") as name:
        folder, port, cluster_port = Path(name), *free_ports(2)
        environment = {
            **os.environ,
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "RAY_TMPDIR": str(folder),
        }
        _certify(folder)
        command = [
            *(str(COMMAND), "ray", "run", "--key-file", str(folder / "key")),
            *("--models", str(ROOT / "build" / "models")),
            *("--port", str(port), "--cluster-port", str(cluster_port), "--cpus", "2", "--replicas-max", "1"),
            *("--certificate", str(folder / "chain.pem"), "--private-key", str(folder / "key.pem")),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert (ready["event"], ready["model"]) == ("ready", MODEL)
            assert ready["url"].startswith("https://")
            yield OneMachine(
                process, ready["url"], folder / "key", f"127.0.0.1:{cluster_port}", environment, folder
            )
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _certify(folder: Path) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    authority = certificates.create_ca("cluster", now=now, validity=day)
    door = certificates.create_server_certificate(authority, ["127.0.0.1"], now=now, validity=day)
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    (folder / "chain.pem").write_bytes(door.certificate_pem)
    (folder / "key.pem").write_bytes(door.key_pem)


def _client(machine: OneMachine) -> aiohttp.ClientSession:
    tls = ssl.create_default_context(cafile=str(machine.folder / "ca.pem"))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))


@pytest.mark.models
async def test_one_machine_answers_as_the_control_plane_asks(one_machine: OneMachine) -> None:
    settings = ProviderSettings(
        name="ray",
        kind="openai",
        model=MODEL,
        url=one_machine.url,
        ca_file=one_machine.folder / "ca.pem",
        api_key_file=one_machine.key_file,
    )
    provider = OpenAiServer(settings)
    now = asyncio.get_running_loop().time()
    asked = Asked((("user", f"Where is {CANARY}?"),), 8)
    *text, written = [piece async for piece in provider.generate(asked, Deadlines(now + 60, now + 60))]
    await provider.close()
    assert "".join(map(str, text))
    assert isinstance(written, Written)
    assert written.prompt_tokens
    assert written.new_tokens == 8 or written.finish == "stop"


async def test_who_has_no_key_or_sends_too_much_is_refused(one_machine: OneMachine) -> None:
    key = {"Authorization": f"Bearer {one_machine.key_file.read_text()}"}
    async with _client(one_machine) as client:
        url = one_machine.url + PATH
        for headers in (
            {},
            {"Authorization": "Bearer " + "0" * 64},
            {"Authorization": key["Authorization"][7:]},
        ):
            async with client.post(url, json={}, headers=headers) as response:
                assert response.status == 401
        async with client.post(url, data=b" " * (BODY_BYTES_MAX + 1), headers=key) as response:
            assert response.status == 413
        async with client.post(url, json={"messages": []}, headers=key) as response:
            assert response.status == 400
        async with client.get(f"{one_machine.url}/nothing", headers=key) as response:
            assert response.status == 404


def test_an_update_keeps_serving(one_machine: OneMachine) -> None:
    command = [
        *(str(COMMAND), "ray", "update", "--key-file", str(one_machine.key_file), "--replicas-max", "2"),
        *("--models", str(ROOT / "build/models"), "--cluster", one_machine.cluster),
    ]
    done = subprocess.run(
        command,
        env=one_machine.environment,
        cwd=one_machine.folder,
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == {"event": "updated", "model": MODEL}


def test_only_loopback_is_listened_on(one_machine: OneMachine) -> None:
    family = psutil.Process(one_machine.process.pid).children(recursive=True)
    listening = {
        (each.name(), connection.laddr.ip)
        for each in family
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    elsewhere = {(name, ip) for name, ip in listening if ip not in ("127.0.0.1", "::ffff:127.0.0.1", "::1")}
    assert not [name for name, _ in elsewhere if not name.startswith(BETWEEN_REPLICAS)]


def test_a_stranger_gets_nothing_from_a_replica(one_machine: OneMachine) -> None:
    """Its port is open to all, and takes pickled objects: without the token none is read."""
    family = psutil.Process(one_machine.process.pid).children(recursive=True)
    ports = {
        connection.laddr.port
        for each in family
        if each.name().startswith(BETWEEN_REPLICAS)
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.ip == "::"
    }
    assert ports
    for port in ports:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
            with pytest.raises(grpc.RpcError) as refusal:
                call(b"", timeout=10)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_stranger_cannot_join_or_ask_the_cluster(one_machine: OneMachine) -> None:
    code = f"import ray; ray.init(address={one_machine.cluster!r}, log_to_driver=False)"
    environment = {**os.environ, **ray_settings("127.0.0.1"), "RAY_AUTH_TOKEN": "0" * 64}
    done = subprocess.run([PYTHON, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0


def test_no_question_is_in_a_file_and_nothing_is_told_to_the_makers(one_machine: OneMachine) -> None:
    files = [path for path in one_machine.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name.startswith("replica_") for path in files)
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    assert not [path for path in files if path.name == "usage_stats.json"]


def test_it_stops_with_everything_that_it_started(one_machine: OneMachine) -> None:
    family = psutil.Process(one_machine.process.pid).children(recursive=True)
    one_machine.process.send_signal(signal.SIGTERM)
    assert one_machine.process.wait(STOP_TIMEOUT_S) == 0
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_every_library_of_the_cluster_is_permitted() -> None:
    site = next((PYTHON.parents[1] / "lib").glob("python3*/site-packages"))
    refused = []
    for distribution in distributions(path=[str(site)]):
        fields = ("License-Expression", "License", "Classifier")
        found = {field: list(distribution.metadata.get_all(field) or []) for field in fields}
        name = distribution.metadata["Name"]
        licences = named_licences(found) or [READ_BY_HAND.get(name, "")]
        if not all(map(is_permitted, licences)):
            refused.append((name, licences))
    assert not refused
