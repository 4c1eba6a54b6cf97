"""llama.cpp as the bench's other side: runs in the peer's own environment, one JSON request a line, one answer a line.

`python llm_peer.py MODEL.gguf THREADS CONTEXT`. Stands alone: nothing of Postern can be imported there.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import llama_cpp
import numpy as np


def generate(model: Any, prompt: str, tokens: int) -> dict[str, Any]:
    """Greedy; seconds to the first token and tokens a second after it. Nothing is kept of the prompt before."""
    began = time.perf_counter()
    ids = model.tokenize(prompt.encode(), add_bos=False, special=True)
    model.reset()
    made, first_s = 0, 0.0
    for _ in model.generate(ids, temp=0.0, repeat_penalty=1.0, reset=False):
        made += 1
        if made == 1:
            first_s = time.perf_counter() - began
        if made == tokens:
            break
    rest_s = time.perf_counter() - began - first_s
    return {"first_s": first_s, "tokens_per_s": (made - 1) / rest_s, "prompt_tokens": len(ids)}


def surprise(model: Any, ids: list[int]) -> dict[str, Any]:
    """Mean negative log likelihood of each token after those before it, in nats."""
    model.reset()
    model.eval(ids)
    scores = np.asarray(model.scores[: len(ids) - 1], dtype=np.float64)
    top = scores.max(axis=1, keepdims=True)
    likely = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    return {"nats": float(-likely[np.arange(len(ids) - 1), ids[1:]].mean())}


def main(path: str, threads: str, context: str) -> None:
    settings = {"n_ctx": int(context), "n_threads": int(threads), "n_threads_batch": int(threads)}
    model = llama_cpp.Llama(path, verbose=False, **settings)
    scorer = None
    system = llama_cpp.llama_print_system_info().decode()
    sys.stdout.write(json.dumps({"version": llama_cpp.__version__, "system": system}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if "ids" in request:
            scorer = scorer or llama_cpp.Llama(path, verbose=False, logits_all=True, **settings)
            answer = surprise(scorer, request["ids"])
        else:
            answer = generate(model, request["prompt"], request["tokens"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
