"""The processes of a Ray cluster as Postern starts them: nothing goes to Ray's makers, whoever asks shows the token.

Ray's own program does the starting. On one machine all of it stays on loopback; on several, Ray listens on every
address of theirs. Its dashboard, through which programs are started, and its scaling of machines do not run.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from core.errors import NotReachable, PosternError
from core.network import is_loopback

SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
"""In the environment of every process of the cluster, and of whoever asks it."""

AT_HOME: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""On loopback, too: else Ray takes 127.0.0.1 for a wish to find the outer address, and opens its ports there."""

AT_ONCE: Final = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
"""The first machine takes the cluster with it when it stops; another one waits for its requests, 30 s at most."""

LOOPBACK: Final = "127.0.0.1"

PORT: Final = 6379
"""Ray's own choice."""

STORE_BYTES: Final = 100_000_000
"""Of Ray's shared memory on each machine, near the least that it takes: requests do not go through it."""

START_S_MAX: Final = 60.0
STOP_S: Final = 8.0
"""Ray's program ends its processes by itself; after that they are killed, within the ten seconds of every stop."""

LOOK_S: Final = 0.1
"""Between two looks at whether the cluster is there."""

TOKEN: Final = Path(".ray") / "auth_token"
"""Below the user's home, where Ray itself looks unless RAY_AUTH_TOKEN_PATH says otherwise."""


@dataclass(frozen=True)
class Scale:
    """How many replicas without and under load, and the cores of each."""

    replicas_min: int = 1
    replicas_max: int = 3
    cpus_each: int = 1


@dataclass(frozen=True)
class Door:
    """Where requests come in. Files of TLS are on every machine of the cluster, under the same path."""

    host: str = LOOPBACK
    port: int = 8700
    certificate: str | None = None
    private_key: str | None = None
    everywhere: bool = False
    """Whether every machine of the cluster has the door, or only the first one."""


class RayMissing(PosternError):
    """This environment lacks Ray, or a cluster's token."""

    code = "ray_missing"
    title = "Ray cannot be used here"
    remedy = "Run `make ray-setup`, then `build/ray-venv/bin/postern-cloud ray …`."


def settings(address: str) -> dict[str, str]:
    """Of processes in a cluster whose first machine has `address`, a host with or without a port."""
    host = address.rpartition(":")[0] or address
    return SETTINGS | AT_HOME if is_loopback(host) else SETTINGS


def token_file(inherited: Mapping[str, str]) -> Path:
    """Where the cluster's token is: whoever shows it may run programs on every machine of the cluster."""
    given = inherited.get("RAY_AUTH_TOKEN_PATH")
    return Path(given) if given else Path.home() / TOKEN


def make_secret(path: Path) -> None:
    """Write 256 random bits as hexadecimal digits, for the owner's eyes, unless there is a file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))


def start_command(
    address: str, *, head_port: int | None = None, head: str | None = None, cpus: int | None
) -> list[str]:
    """Ray's command that keeps this machine in the cluster until it is interrupted.

    `address`: this machine's. `head_port`: it is the first one, and the others find it there; else `head` is HOST:PORT.
    """
    where = (
        ["--head", f"--port={head_port}", "--include-dashboard=false"]
        if head is None
        else [f"--address={head}"]
    )
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
        *where,
        f"--node-ip-address={address}",
        f"--object-store-memory={STORE_BYTES}",
        *([] if cpus is None else [f"--num-cpus={cpus}"]),
    ]


@contextmanager
def first_machine(address: str, port: int, cpus: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """The cluster's first machine while the block runs. Raises NotReachable if it does not come up."""
    command = start_command(address, head_port=port, cpus=cpus)
    inherited = {**os.environ, **settings(address), **AT_ONCE}
    process = subprocess.Popen(command, stdout=sys.stderr, env=inherited)
    try:
        wait_until_open(process, address, port)
        yield process
    finally:
        _stop(process)


def wait_until_open(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    """Until somebody takes connections there. Raises NotReachable when `process` ends or it takes a minute."""
    give_up_at = time.monotonic() + START_S_MAX
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise NotReachable(f"Ray ended with exit status {process.returncode}; see above.")
        try:
            socket.create_connection((address, port), 1.0).close()
            return
        except OSError:
            time.sleep(LOOK_S)
    raise NotReachable(f"Nobody listened on {address}:{port} within {START_S_MAX:.0f} s.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ray's program and everything that it started."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, STOP_S)
    for each in alive:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(alive, 1.0)
