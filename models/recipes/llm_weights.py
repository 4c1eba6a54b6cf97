"""Gives a language model that OpenVINO GenAI made of a GGUF the weights that the GGUF has.

GenAI keeps the 4-bit codes and the scale of each group and rounds what Q4_1 and Q4_K have beside them, the group's
minimum, to a whole step of the scale: up to half a step, for 32 weights at once. Here such matrices get their weights
from the GGUF again, in 8 bits with a scale a row, the exact form in which OpenVINO is fastest; those that read the same
input become one (docs/adr/0024). Rows are found by their codes, because GenAI changes their order in some models; where
codes leave it open which weights are meant, the file is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import openvino
from openvino import opset13

from models.recipes.gguf import Q4_1, Q4_K, Blocks, Gguf, NoGguf, Tensor
from models.runtimes.port import Floats

_CODE_MAX: Final = 127
"""Of 8 bits with a sign, the lowest left out: symmetric, so no zero point is needed."""

_DIGEST_BYTES: Final = 16
"""Of a row's codes. A row kept whole would be the model in memory; two of 2^21 rows never share 128 bits."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A matrix: codes [rows, columns], and what each row's are multiplied with, [rows, 1]."""

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float16]


def restore_weights(model_xml: Path, gguf: Path) -> int:
    """Rewrite the model in place; how many of its matrices got their weights back, 0 where none had lost any.

    Raises NoGguf (the model is not of this file) or OSError.
    """
    source = _Source(Gguf(gguf))
    if not source.matrices:
        return 0
    model = openvino.Core().read_model(model_xml)
    restored = 0
    for matrices in _by_input(model):
        found = [
            (matrix, weights)
            for matrix in matrices
            if (weights := source.weights(_codes(matrix))) is not None
        ]
        if found:
            _replace([matrix for matrix, _ in found], [in_rows(weights) for _, weights in found])
        restored += len(found)
    if restored != source.matrices:
        raise NoGguf(f"{source.matrices} matrices have minima, {restored} were found in the model")
    _save(model, model_xml)
    return restored


def in_rows(weights: Floats) -> Rows:
    """[rows, columns] in 8 bits: off by at most half a step of 1/127 of the row's largest weight."""
    scales = (np.abs(weights).max(axis=1, keepdims=True) / _CODE_MAX).astype(np.float16)
    steps = np.where(scales > 0, scales, 1).astype(np.float32)
    codes = np.rint(weights / steps).clip(-_CODE_MAX, _CODE_MAX).astype(np.int8)
    return Rows(codes, scales)


class _Source:
    """The rows of a GGUF's matrices that have minima, found by their codes."""

    def __init__(self, gguf: Gguf) -> None:
        """Raises NoGguf: a matrix has rows of the same codes that stand for other weights."""
        self._gguf = gguf
        found = [tensor for tensor in gguf.tensors if tensor.type in (Q4_1, Q4_K)]
        self.matrices = len(found)
        self._places: dict[bytes, tuple[tuple[Tensor, int], ...]] = {}
        for tensor in found:
            self._add(tensor)

    def weights(self, codes: npt.NDArray[np.uint8]) -> Floats | None:
        """What the rows with these codes, [rows, columns], stand for; None where they are of no matrix with minima.

        Raises NoGguf: no matrix has all of them, or several do, with other weights.
        """
        places = [self._places.get(digest, ()) for digest in _digests(codes)]
        if not any(places):
            return None
        holders = set(self._gguf.tensors)
        for of_row in places:
            holders &= {tensor for tensor, _ in of_row}
        found = [self._taken(tensor, places) for tensor in holders]
        if not found:
            raise NoGguf("a matrix of the model is in parts in the file")
        if not all(np.array_equal(found[0], other) for other in found[1:]):
            raise NoGguf("matrices of the file cannot be told from each other")
        return found[0]

    def _add(self, tensor: Tensor) -> None:
        blocks = self._gguf.blocks(tensor)
        for row, digest in enumerate(_digests(blocks.codes.reshape(tensor.rows, -1))):
            places = self._places.get(digest, ())
            if not places or places[-1][0] is not tensor:
                self._places[digest] = (*places, (tensor, row))
                continue
            same = places[-1][1]
            if any((of[row] != of[same]).any() for of in (blocks.scales, blocks.minima)):
                raise NoGguf(f"rows of {tensor.name} cannot be told from each other")

    def _taken(self, tensor: Tensor, places: Sequence[Sequence[tuple[Tensor, int]]]) -> Floats:
        """Those rows of this tensor."""
        rows = [row for of_row in places for holder, row in of_row if holder is tensor]
        return _weights(self._gguf.blocks(tensor))[rows]


def _digests(codes: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    for row in codes:
        yield hashlib.blake2b(row.tobytes(), digest_size=_DIGEST_BYTES).digest()


def _weights(blocks: Blocks) -> Floats:
    """[rows, columns]."""
    values = blocks.scales[..., None] * blocks.codes + blocks.minima[..., None]
    return values.reshape(len(values), -1)


_COMPRESSED: Final = ("Convert", "Reshape", "Multiply", "Subtract", "Convert", "Constant")
"""How OpenVINO GenAI writes a matrix, from its use to its codes: (codes - zero points) * scales, in two dimensions."""


def _by_input(model: Any) -> list[list[Any]]:
    """The matrices of 4-bit codes that have zero points, together where they are multiplied with the same input."""
    groups: dict[object, list[Any]] = {}
    for node in model.get_ordered_ops():
        if _constant(node) is not None:
            groups.setdefault(_read_by(node), []).append(node)
    return list(groups.values())


def _read_by(matrix: Any) -> object:
    """The input that it is multiplied with; itself, where it has other uses, as an embedding has."""
    uses = [use.get_node() for use in matrix.output(0).get_target_inputs()]
    if len(uses) != 1 or uses[0].get_type_name() != "MatMul":
        return matrix.get_name()
    read = uses[0].input_value(0)
    return read.get_node().get_name(), read.get_index()


def _constant(node: Any) -> Any | None:
    """The codes [rows, groups, GROUP] of what is such a matrix."""
    for wanted in _COMPRESSED:
        if node.get_type_name() != wanted:
            return None
        if wanted != _COMPRESSED[-1]:
            node = node.input_value(0).get_node()
    return node if node.get_element_type() == openvino.Type.u4 else None


def _codes(matrix: Any) -> npt.NDArray[np.uint8]:
    """[rows, columns], one a byte."""
    constant = _constant(matrix)
    assert constant is not None
    rows, groups, group = constant.get_output_shape(0)
    packed = np.asarray(constant.data).view(np.uint8).reshape(rows, groups * group // 2)
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(rows, groups * group)


def _replace(matrices: Sequence[Any], rows: Sequence[Rows]) -> None:
    """One matrix in the place of those that are multiplied with the same input, its product cut where theirs ended."""
    codes = opset13.constant(np.concatenate([part.codes for part in rows]))
    scales = opset13.constant(np.concatenate([part.scales for part in rows]))
    weights = opset13.convert(opset13.multiply(opset13.convert(codes, "f16"), scales), "f32")
    if len(matrices) == 1:
        matrices[0].output(0).replace(weights.output(0))
        return
    products = [next(iter(matrix.output(0).get_target_inputs())).get_node() for matrix in matrices]
    product = opset13.matmul(products[0].input_value(0), weights, False, True)
    heights = np.array([len(part.codes) for part in rows], np.int64)
    parts = opset13.variadic_split(product, opset13.constant(np.int64(-1)), opset13.constant(heights))
    for index, old in enumerate(products):
        old.output(0).replace(parts.output(index))


def _save(model: Any, model_xml: Path) -> None:
    """Beside the files that the model still reads from, then in their place."""
    model.validate_nodes_and_infer_types()
    new = model_xml.with_name(f"new-{model_xml.name}")
    openvino.save_model(model, new, compress_to_fp16=False)
    for suffix in (".bin", model_xml.suffix):
        new.with_suffix(suffix).replace(model_xml.with_suffix(suffix))
