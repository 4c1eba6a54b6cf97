"""The network in PyTorch, for training alone: the frozen encoder, and the layers beside it (as ONNX: `graph`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detect.shape import FEATURES
from models.recipes.bert_graph import BertShape, Floats
from models.recipes.tagger.graph import LAYER_NORM_EPSILON, Rungs

DROPOUT = 0.1


class Layer(nn.Module):
    """A transformer layer with its norms behind it (Devlin et al. 2018)."""

    # BERT's names of the tensors, by ours.
    NAMES = {  # noqa: RUF012
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "attended": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "wide": "intermediate.dense",
        "narrow": "output.dense",
        "norm2": "output.LayerNorm",
    }

    def __init__(self, dim: int, heads: int, wide: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.attended = nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, wide), nn.Linear(wide, dim)
        self.norm1, self.norm2 = (nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[batch, tokens, dim] and, true for real tokens, [batch, tokens]."""
        q, k, v = (self._by_head(part(x)) for part in (self.query, self.key, self.value))
        context = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = self.norm1(x + self.dropout(self.attended(context.transpose(1, 2).flatten(2))))
        return self.norm2(x + self.dropout(self.narrow(functional.gelu(self.wide(x)))))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class FrozenEncoder(nn.Module):
    """The encoder as it is, with what each layer says."""

    def __init__(self, weights: Mapping[str, Floats], shape: BertShape) -> None:
        super().__init__()
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        self.words = nn.Embedding.from_pretrained(tensors["embeddings.word_embeddings.weight"])
        self.places = (
            tensors["embeddings.position_embeddings.weight"]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self.norm = nn.LayerNorm(shape.dim, eps=shape.layer_norm_epsilon)
        self.norm.load_state_dict(
            {part: tensors[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")}
        )
        wide = len(tensors["encoder.layer.0.intermediate.dense.bias"])
        self.layers = nn.ModuleList(Layer(shape.dim, shape.heads, wide) for _ in range(shape.layers))
        for number, layer in enumerate(self.layers):
            layer.load_state_dict(
                {
                    f"{ours}.{part}": tensors[f"encoder.layer.{number}.{theirs}.{part}"]
                    for ours, theirs in Layer.NAMES.items()
                    for part in ("weight", "bias")
                }
            )
        self.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> list[Tensor]:
        """[batch, tokens, dim] after each layer."""
        x, found = self.norm(self.words(ids) + self.places[: ids.shape[1]]), []
        for layer in self.layers:
            x = layer(x, mask)
            found.append(x)
        return found


class Ladder(nn.Module):
    """What is trained."""

    def __init__(self, rungs: Rungs, labels: int) -> None:
        super().__init__()
        self.rungs = rungs
        self.features = nn.Linear(FEATURES, rungs.dim)
        self.down = nn.ModuleList(
            nn.Linear(rungs.encoder_dim * len(reads), rungs.dim) for reads in rungs.reads
        )
        self.norms = nn.ModuleList(nn.LayerNorm(rungs.dim, eps=LAYER_NORM_EPSILON) for _ in rungs.reads)
        self.layers = nn.ModuleList(Layer(rungs.dim, rungs.heads, rungs.wide, DROPOUT) for _ in rungs.reads)
        self.dropout = nn.Dropout(DROPOUT)
        self.labels = nn.Linear(rungs.dim, labels)

    def forward(self, states: Mapping[int, Tensor], features: Tensor, mask: Tensor) -> Tensor:
        """[batch, tokens, labels]; `states` by the encoder's layer, from 1."""
        x = self.features(features)
        for reads, down, norm, layer in zip(
            self.rungs.reads, self.down, self.norms, self.layers, strict=True
        ):
            told = down(torch.cat([states[number] for number in reads], dim=-1))
            x = layer(self.dropout(norm(told + x)), mask)
        scores: Tensor = self.labels(x)
        return scores

    def arrays(self) -> dict[str, Floats]:
        """Its weights under the names that `graph` reads."""
        return {_graph_name(name): value.numpy().copy() for name, value in self.state_dict().items()}

    def take(self, arrays: Mapping[str, Floats]) -> None:
        """Go on from what `arrays` gave."""
        self.load_state_dict(
            {name: torch.from_numpy(arrays[_graph_name(name)]) for name in self.state_dict()}
        )


def _graph_name(name: str) -> str:
    match name.split("."):
        case ["down" | "norms" as kind, number, part]:
            return f"rung.{number}.{kind.removesuffix('s')}.{part}"
        case ["layers", number, ours, part]:
            return f"rung.{number}.layer.{Layer.NAMES[ours]}.{part}"
    return name
