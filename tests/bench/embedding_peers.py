"""Servers of embeddings that a node is compared with, each in several ways: all are offered, the fastest is used.

Both batch by themselves and serve the node's int8 weights. infinity-emb brings a server and a tokenizer; LitServe is a
framework, here around ONNX Runtime and nothing else (`litserve_app`), which is as little as anybody could put into it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import psutil

from models.catalog import DEFAULT_ENCODER, models_dir
from models.recipes.files import INT8_FILE, TOKENIZER_FILE
from models.records import model_folder
from tests.bench.harness import BenchRefused
from tests.bench.http_load import Server
from tests.bench.peers import REQUIREMENTS, peer_python

READY_S = 120.0
STOP_S = 15.0
LITSERVE_APP = Path(__file__).with_name("litserve_app.py")
# How long LitServe waits for a batch to fill. It polls each millisecond, so that less makes no difference.
LITSERVE_BATCH_TIMEOUT_S = 0.001
# Never a hub, never usage statistics: the peers are as offline as the node.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}
# What transformers wants to know of the shipped encoder before it opens the file.
BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 256,
    "vocab_size": 30522,
}


@dataclass(frozen=True)
class Way:
    """A peer with settings. `command` makes its command line from the folder with its model and a port."""

    peer: str
    settings: str
    path: str
    batches: bool
    """Whether it makes batches of callers who come at once."""
    command: Callable[[Path, int], list[str]]

    @property
    def name(self) -> str:
        """With its version, as the pins have it."""
        found = re.search(rf"^({self.peer}\S*)==(\S+)", _pins(self.peer), re.MULTILINE)
        return f"{found[1]} {found[2]}" if found else self.peer


@dataclass(frozen=True)
class Running:
    """A peer that was started, asleep unless it is `awake`: one that polls would take time from the side asked."""

    way: Way
    server: Server
    process: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def awake(self) -> Iterator[Server]:
        """While it may run."""
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield self.server
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)


def ways() -> list[Way]:
    """What is tried: what was fastest at some number of callers, and infinity-emb as it comes (batches of 32).

    Slower everywhere: larger batches, workers of several threads, infinity-emb's threads that do not spin, BentoML.
    """
    cores = len(psutil.Process().cpu_affinity())
    return [*(_infinity(batch) for batch in (4, 8, 32)), *(_litserve(batch, cores) for batch in (1, 2))]


def _infinity(batch: int) -> Way:
    """Its ONNX engine with the settings it comes with. Its own optimizer of models fails beside optimum 2.1: left out.

    It starts in the model's folder, since its engine takes a local file only by a path relative to the model.
    """
    options = ["--model-id", ".", "--served-model-name", DEFAULT_ENCODER, "--pooling-method", "mean"]
    options += ["--engine", "optimum", "--device", "cpu", "--no-bettertransformer", "--onnx-disable-optimize"]
    options += ["--batch-size", str(batch), "--host", "127.0.0.1", "--log-level", "error"]
    start = ["-c", "from infinity_emb.cli import cli; cli()", "v2", *options, "--port"]
    return Way(
        "infinity", f"batches of {batch}", "/embeddings", batch > 1, lambda _, port: [*start, str(port)]
    )


def _litserve(batch: int, workers: int) -> Way:
    """So many workers with a thread each, which was faster than one worker with as many threads."""
    ours = model_folder(models_dir(), DEFAULT_ENCODER)
    settings = {"model": str(ours / INT8_FILE), "tokenizer": str(ours / TOKENIZER_FILE), "workers": workers}
    settings |= {"batch": batch, "batch_timeout_s": LITSERVE_BATCH_TIMEOUT_S if batch > 1 else 0.0}
    told = f"batches of {batch}" if batch > 1 else "no batches"

    def command(_: Path, port: int) -> list[str]:
        return [str(LITSERVE_APP), json.dumps(settings | {"port": port})]

    return Way("litserve", f"{told}, {workers} workers", "/v1/embeddings", batch > 1, command)


@contextlib.contextmanager
def started(way: Way, folder: Path) -> Iterator[Running]:
    """The peer, asleep, with a model of its own in `folder`. Raises BenchRefused."""
    write_model(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(peer_python(way.peer)), *way.command(folder, port)]
    environment = {**os.environ, **OFFLINE, "HF_HOME": str(folder / "cache")}
    environment.pop("PYTHONPATH", None)
    with (folder / "peer.log").open("w") as log:
        # A session of its own: its processes sleep, wake and end together.
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        _wait_for(process, port, way)
        os.killpg(process.pid, signal.SIGSTOP)
        yield Running(way, Server(port, way.path), process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=STOP_S)


def write_model(folder: Path) -> None:
    """The node's int8 weights as infinity-emb reads them: one output, `last_hidden_state`; pooling is its own."""
    ours = model_folder(models_dir(), DEFAULT_ENCODER)
    model = onnx.load(ours / INT8_FILE)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["last_hidden_state" if name == "token_states" else name for name in names]
    (states,) = [output for output in model.graph.output if output.name == "token_states"]
    states.name = "last_hidden_state"
    kept = onnx.ValueInfoProto.FromString(states.SerializeToString())
    del model.graph.output[:]
    model.graph.output.append(kept)
    onnx.save(model, folder / "model_quantized.onnx")
    shutil.copy(ours / TOKENIZER_FILE, folder)
    (folder / "config.json").write_text(json.dumps(BERT))
    settings = {"tokenizer_class": "BertTokenizerFast", "model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _wait_for(process: subprocess.Popen[bytes], port: int, way: Way) -> None:
    """Until the peer listens. Raises BenchRefused."""
    until = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise BenchRefused(f"{way.name} was installed but did not start.")


def _pins(peer: str) -> str:
    return (REQUIREMENTS / f"{peer}.txt").read_text()
