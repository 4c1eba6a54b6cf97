"""`postern-cloud ray`: a language model on several machines, behind one address. See docs/scale.md."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from cloud_sync.overflow import ray_cluster
from cloud_sync.overflow.ray_cluster import Door, Scale
from core.errors import ConfigError, NotReachable
from core.network import is_loopback
from models.catalog import DEFAULT_LLM

KEY_CHARS_MIN: Final = 32
"""A key of fewer characters can be guessed; those that are made here have 64."""

app = typer.Typer(no_args_is_help=True, help="A language model on several machines (Ray Serve).")

Models = Annotated[Path, typer.Option(help="Folder of built models, at the same path on every machine.")]
Model = Annotated[str, typer.Option(help="Name of the model.")]
Node = Annotated[str, typer.Option(help="This machine's address in the cluster's own network.")]
Cpus = Annotated[int | None, typer.Option(help="Cores of this machine for replicas; default all.")]
ReplicasMin = Annotated[int, typer.Option(min=1, help="Replicas without load.")]
ReplicasMax = Annotated[int, typer.Option(min=1, help="Replicas under load.")]
CpusEach = Annotated[int, typer.Option(min=1, help="Cores of each replica.")]
KeyFile = Annotated[Path, typer.Option(help="File with the key that callers show; made if there is none.")]


@app.command()
def run(
    key_file: KeyFile,
    models: Models = Path("build/models"),
    model: Model = DEFAULT_LLM,
    host: Annotated[str, typer.Option(help="Where requests are taken.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="… and the port.")] = 8700,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate of the door.")] = None,
    private_key: Annotated[Path | None, typer.Option(help="… and its private key.")] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="No certificate, in a network that nobody else reads.")
    ] = False,
    replicas_min: ReplicasMin = 1,
    replicas_max: ReplicasMax = 3,
    cpus_each: CpusEach = 1,
    node: Node = ray_cluster.LOOPBACK,
    cluster_port: Annotated[
        int, typer.Option(help="Port at which other machines find this one.")
    ] = ray_cluster.PORT,
    cpus: Cpus = None,
) -> None:
    """Be a cluster's first machine, and serve a model until interrupted; the first line on stdout says where."""
    _prepare(node)
    door = _door(host, port, certificate, private_key, plain_http=plain_http)
    scale = Scale(replicas_min, replicas_max, cpus_each)
    key_sha256 = _key_sha256(key_file)
    ray_cluster.make_secret(ray_cluster.token_file(os.environ))
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with ray_cluster.first_machine(node, cluster_port, cpus) as first:
            _deploy(f"{node}:{cluster_port}", models, model, key_sha256, door, scale)
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray put one of its own there
            ray_cluster.wait_until_open(first, host, port)
            scheme = "https" if certificate else "http"
            _write({"event": "ready", "url": f"{scheme}://{host}:{port}/v1", "model": model})
            raise NotReachable(f"Ray ended by itself, with exit status {first.wait()}.")
    except KeyboardInterrupt:
        return


@app.command()
def join(
    head: Annotated[str, typer.Argument(help="HOST:PORT of the cluster's first machine.")],
    node: Node,
    cpus: Cpus = None,
) -> None:
    """Put this machine into a cluster, until interrupted. It needs the first machine's token and models."""
    _prepare(head)
    if not ray_cluster.token_file(os.environ).exists():
        raise ray_cluster.RayMissing(
            "The cluster's token is not on this machine.",
            remedy="Copy ~/.ray/auth_token from the first machine to the same place here.",
        )
    command = ray_cluster.start_command(node, head=head, cpus=cpus)
    os.execv(command[0], command)  # noqa: S606


@app.command()
def update(
    key_file: KeyFile,
    models: Models = Path("build/models"),
    model: Model = DEFAULT_LLM,
    replicas_min: ReplicasMin = 1,
    replicas_max: ReplicasMax = 3,
    cpus_each: CpusEach = 1,
    cluster: Annotated[
        str, typer.Option(help="HOST:PORT of the cluster's first machine.")
    ] = f"{ray_cluster.LOOPBACK}:{ray_cluster.PORT}",
) -> None:
    """Serve another model, key or number of replicas, without a request that fails; returns when it is done."""
    _prepare(cluster)
    scale = Scale(replicas_min, replicas_max, cpus_each)
    _deploy(cluster, models, model, _key_sha256(key_file), Door(), scale)
    _write({"event": "updated", "model": model})


def _door(
    host: str, port: int, certificate: Path | None, private_key: Path | None, *, plain_http: bool
) -> Door:
    """Where requests are taken, texts and the key in each. Raises ConfigError where others could read them."""
    if (certificate is None) != (private_key is None):
        raise ConfigError("--certificate and --private-key belong together.", remedy="Name both or neither.")
    everywhere = not is_loopback(host)
    if everywhere and certificate is None and not plain_http:
        raise ConfigError(
            "Off loopback the door needs TLS.",
            remedy="Name --certificate and --private-key, or --plain-http where nobody else reads the network.",
        )
    return Door(host, port, _absolute(certificate), _absolute(private_key), everywhere)


def _deploy(cluster: str, models: Path, model: str, key_sha256: str, door: Door, scale: Scale) -> None:
    from cloud_sync.overflow.ray_serve import deploy
    from models.generator import open_generator

    opener = partial(open_generator, models.resolve(), model, scale.cpus_each)
    deploy(cluster, opener, model, key_sha256=key_sha256, door=door, scale=scale)


def _prepare(cluster: str) -> None:
    """Before Ray is loaded: it reads its settings then. Raises RayMissing."""
    if find_spec("ray") is None:
        raise ray_cluster.RayMissing("This environment was made without it.")
    os.environ.update(ray_cluster.settings(cluster))


def _key_sha256(file: Path) -> str:
    """What replicas compare with; the key itself goes nowhere. A file that is not there yet is made."""
    try:
        ray_cluster.make_secret(file)
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file} cannot be used.", remedy="Check the path of --key-file.") from None
    if len(key) < KEY_CHARS_MIN:
        raise ConfigError(
            f"The key in {file} has fewer than {KEY_CHARS_MIN} characters.",
            remedy="Name a file that is not there: a key is written into it.",
        )
    return hashlib.sha256(key.encode()).hexdigest()


def _absolute(path: Path | None) -> str | None:
    if path is not None and not path.is_file():
        raise ConfigError(f"There is no file {path}.", remedy="Check the path.")
    return None if path is None else str(path.resolve())


def _write(document: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
