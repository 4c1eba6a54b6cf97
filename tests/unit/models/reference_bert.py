"""BERT in numpy, written from the paper and apart from the product's graph: the second implementation."""

from __future__ import annotations

import math

import numpy as np


def layer_norm(x, scale, shift, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * scale + shift


def gelu(x):
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def softmax(x):
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def encode_one(weights, ids, *, layers, heads, epsilon):
    """(embedding, token states) of one text without padding, in float64."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"], epsilon)

    positions = np.arange(len(ids))
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][positions]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for index in range(layers):
        name = f"encoder.layer.{index}"
        query, key, value = (dense(x, f"{name}.attention.self.{role}") for role in ("query", "key", "value"))
        width = query.shape[1] // heads
        context = np.zeros_like(query)
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            weight = softmax(query[:, part] @ key[:, part].T / math.sqrt(width))
            context[:, part] = weight @ value[:, part]
        x = norm(x + dense(context, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        wide = gelu(dense(x, f"{name}.intermediate.dense"))
        x = norm(x + dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean), x


def random_weights(seed, *, layers, dim, wide, words, positions):
    """A small BERT with weights large enough that every part matters."""
    random = np.random.default_rng(seed)

    def of(*shape):
        return random.normal(0, 0.3, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": of(words, dim),
        "embeddings.position_embeddings.weight": of(positions, dim),
        "embeddings.token_type_embeddings.weight": of(2, dim),
    }
    norms = ["embeddings.LayerNorm"]
    for index in range(layers):
        name = f"encoder.layer.{index}"
        shapes = {
            "attention.self.query": (dim, dim),
            "attention.self.key": (dim, dim),
            "attention.self.value": (dim, dim),
            "attention.output.dense": (dim, dim),
            "intermediate.dense": (wide, dim),
            "output.dense": (dim, wide),
        }
        for part, (rows, columns) in shapes.items():
            weights[f"{name}.{part}.weight"] = of(rows, columns)
            weights[f"{name}.{part}.bias"] = of(rows)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + of(dim), of(dim)
    return weights
