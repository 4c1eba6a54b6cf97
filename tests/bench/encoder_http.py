"""`POST /v1/embeddings` of a node against infinity-emb on the same int8 weights, callers in a closed loop.

Both servers run all the time; only one is asked at a time, in slices of a second that alternate. The load comes from a
process of its own: this file run as a program, told on stdin which side to ask and with how many callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import onnx

from edge.config import site_paths
from edge.site_setup import create_site
from models.catalog import DEFAULT_ENCODER, models_dir
from models.recipes.files import INT8_FILE, TOKENIZER_FILE
from models.records import model_folder
from tests.bench import harness
from tests.bench.bare import NeverEnding
from tests.bench.chat import Connection, set_free_port, start_node
from tests.bench.encoder_load import closed_loop, mixed_texts
from tests.bench.peers import peer_python

PEER = "infinity"
PEER_NAME = "infinity-emb 0.0.78"
CONCURRENCIES = (1, 16, 64)
PEER_READY_S = 120.0
WARM_S = 1.0
# The least agreement of the two sides' vectors: the same weights, rounded differently by batches.
COSINE_MIN = 0.99
SAME_TEXTS = ("When is the clinic open?", "parking", "Can I bring my child to the vaccination on Monday?")
# Never a hub, never usage statistics: the peer is as offline as the node.
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
class Side:
    """Where a server is asked."""

    host: str
    port: int
    path: str
    key: str


class Asker:
    """The load generator's side: connections that are kept, so many callers as are wanted."""

    def __init__(self, side: Side, texts: Iterator[str]) -> None:
        self._side = side
        self._texts = texts
        self._free: list[Connection] = []
        self.took_s: list[float] = []

    async def vector(self, text: str) -> list[float]:
        """The vector of a text. Raises RuntimeError at any other answer."""
        connection = self._free.pop() if self._free else await self._connect()
        body = {"model": DEFAULT_ENCODER, "input": text}
        status, answer = await connection.request("POST", self._side.path, self._side.key, body)
        if status != 200:
            raise RuntimeError(f"{self._side.path} answered {status}")
        self._free.append(connection)
        return list(json.loads(answer)["data"][0]["embedding"])

    async def ask(self, text: str) -> None:
        """One request; the answer is not read, which would cost the load generator more than the question."""
        began = time.perf_counter()
        connection = self._free.pop() if self._free else await self._connect()
        body = {"model": DEFAULT_ENCODER, "input": text}
        status, _ = await connection.request("POST", self._side.path, self._side.key, body)
        if status != 200:
            raise RuntimeError(f"{self._side.path} answered {status}")
        self._free.append(connection)
        self.took_s.append(time.perf_counter() - began)

    async def slice(self, callers: int, seconds: float) -> tuple[float, float]:
        """Requests a second, and the median time of one, seconds."""
        self.took_s.clear()
        rate = await closed_loop(self.ask, self._texts, callers, seconds)
        return rate, statistics.median(self.took_s)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._side.host, self._side.port)
        return connection


class Load:
    """The load generator, in a process of its own."""

    def __init__(self, ours: Side, theirs: Side) -> None:
        sides = json.dumps([vars(ours), vars(theirs)])
        command = [sys.executable, "-m", "tests.bench.encoder_http", sides]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, side: int, callers: int, seconds: float) -> tuple[float, float]:
        """`Asker.slice` over there; side 0 is ours."""
        rate, median = self._said([side, callers, seconds])
        return rate, median

    def cosines(self) -> list[float]:
        """How far both sides agree on SAME_TEXTS."""
        return self._said(["same"])

    def close(self) -> None:
        stdin: IO[str] | None = self._child.stdin
        assert stdin
        stdin.close()
        self._child.wait(timeout=10)

    def _said(self, words: list[object]) -> list[float]:
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise harness.BenchRefused("The load generator ended; see above.")
        return [float(value) for value in json.loads(line)]


async def generate(sides: list[Side]) -> None:
    """The child: a line of JSON in, a line out."""
    askers = [Asker(side, NeverEnding(mixed_texts(7 + at), "again")) for at, side in enumerate(sides)]
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        words = json.loads(line)
        if words == ["same"]:
            pairs = [[await asker.vector(text) for asker in askers] for text in SAME_TEXTS]
            said = [float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]
        else:
            said = list(await askers[words[0]].slice(words[1], words[2]))
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def our_node(folder: Path) -> Iterator[Side]:
    """A node of the sample clinic, and a key whose limits are out of the way."""
    site = folder / "site"
    create_site(site_paths(site), "clinic")
    set_free_port(site)
    node = start_node(site)
    try:
        command = [
            sys.executable,
            "-m",
            "edge.cli",
            "api-keys",
            "new",
            "bench",
            "--site",
            str(site),
            "--json",
        ]
        command += ["--scope", "embeddings", "--requests-per-minute", "1000000"]
        command += ["--tokens-per-minute", "100000000", "--concurrent", "1024"]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        yield Side(node.host, node.port, "/v1/embeddings", json.loads(made.stdout)["key"])
    finally:
        node.stop()


def write_peer_model(folder: Path) -> None:
    """The node's int8 weights as the peer reads them: one output, named `last_hidden_state`; pooling is the peer's."""
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


@contextlib.contextmanager
def peer_server(folder: Path) -> Iterator[Side]:
    """infinity-emb with its own defaults, on `folder`'s model."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Started in the folder: its engine takes a local file only by a path relative to the model.
    command = [
        str(peer_python(PEER)),
        "-c",
        "from infinity_emb.cli import cli; cli()",
        "v2",
        "--model-id",
        ".",
    ]
    command += ["--served-model-name", DEFAULT_ENCODER, "--engine", "optimum", "--device", "cpu"]
    command += ["--pooling-method", "mean"]
    command += ["--no-bettertransformer", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    with (folder / "peer.log").open("w") as log:
        environment = {**os.environ, **OFFLINE, "HF_HOME": str(folder / "cache")}
        environment.pop("PYTHONPATH", None)
        peer = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        _wait_for(peer, port)
        yield Side("127.0.0.1", port, "/embeddings", "")
    finally:
        peer.terminate()
        peer.wait(timeout=30)


def _wait_for(peer: subprocess.Popen[bytes], port: int) -> None:
    """Until the peer listens. Raises BenchRefused."""
    until = time.monotonic() + PEER_READY_S
    while peer.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise harness.BenchRefused(f"{PEER_NAME} was installed but did not start.")


def compare(load: Load, seconds: float, report: harness.Report) -> None:
    """`http_over_peer_c1`, `_c16`, `_c64`."""
    pairs = max(harness.PAIRS_MIN, int(seconds / (2 * harness.SLICE_S * len(CONCURRENCIES))))
    for callers in CONCURRENCIES:
        seen: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
        for side in (0, 1):
            load.call(side, callers, WARM_S)
        for pair in range(pairs):
            for side in (1, 0) if pair % 2 else (0, 1):
                seen[side].append(load.call(side, callers, harness.SLICE_S))
        ratios = [ours[0] / theirs[0] for ours, theirs in zip(*seen, strict=True)]
        report.judged |= harness.ratio_of(ratios).judged(f"http_over_peer_c{callers}")
        report.results[f"http_c{callers}"] = {
            name: {
                "per_s": round(statistics.median(rate for rate, _ in slices), 1),
                "p50_ms": round(1e3 * statistics.median(median for _, median in slices), 2),
            }
            for name, slices in zip(("ours", "peer"), seen, strict=True)
        }
        harness.progress(f"{callers} callers: {statistics.median(ratios):.2f} of {PEER_NAME}")


def http_over_peer(seconds: float, report: harness.Report) -> None:
    """`peer` and the ratios; without a peer only `peer`, and the reason among the results."""
    try:
        peer_python(PEER)
    except harness.BenchRefused as refused:
        report.judged["peer"] = "none"
        report.results["no_peer_because"] = str(refused)
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-bench-")))
        (folder / "peer").mkdir()
        write_peer_model(folder / "peer")
        theirs = stack.enter_context(peer_server(folder / "peer"))
        ours = stack.enter_context(our_node(folder))
        load = Load(ours, theirs)
        stack.callback(load.close)
        cosines = load.cosines()
        if min(cosines) < COSINE_MIN:
            raise harness.BenchRefused(f"{PEER_NAME} makes other vectors of the same weights: {cosines}")
        report.results["peer_cosine_min"] = round(min(cosines), 4)
        report.config["http_pairs"] = max(
            harness.PAIRS_MIN, int(seconds / (2 * harness.SLICE_S * len(CONCURRENCIES)))
        )
        report.judged["peer"] = PEER_NAME
        compare(load, seconds, report)


if __name__ == "__main__":
    asyncio.run(generate([Side(**side) for side in json.loads(sys.argv[1])]))
