"""What lies in a GGUF: its tensors' names, types and places, and the blocks of types that have minima.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; the blocks are those of ggml's `ggml-common.h`. The
file is somebody else's: every number is held against the file's size before it is believed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.runtimes.port import Floats

Codes = npt.NDArray[np.uint8]

GROUP: Final = 32
"""Weights that share a scale and a minimum, in every type that is read here."""

Q4_1: Final = 3
Q4_K: Final = 12
"""Types of tensors, by their numbers in the file."""

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
"""Both have 64-bit lengths; version 1 is of 2023 and had not."""
_STRING, _ARRAY = 8, 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value of metadata, by its type."""
_DIMS_MAX: Final = 4
_ALIGNMENT: Final = 32
"""Of the data, unless the file says otherwise."""
_ALIGNMENT_KEY: Final = b"general.alignment"

_Q4_1_BYTES: Final = 20
"""Scale and minimum in f16, 32 codes of 4 bits."""
_Q4_K_BYTES, _Q4_K_WEIGHTS = 144, 256
"""Scales of scales and of minima in f16, 8 + 8 numbers of 6 bits in 12 bytes, 256 codes of 4 bits."""


class NoGguf(ValueError):
    """The file is not what it should be."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: `rows` of `columns` weights, at `offset` bytes in the file."""

    name: str
    type: int
    rows: int
    columns: int
    offset: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weights as `scales * codes + minima`: codes of 0 to 15 [rows, groups, GROUP], the others [rows, groups]."""

    codes: Codes
    scales: Floats
    minima: Floats


class Gguf:
    """A file's tensors. Raises NoGguf or OSError."""

    def __init__(self, path: Path) -> None:
        self._data: Codes = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 0
        self.tensors = tuple(self._read_head())

    def blocks(self, tensor: Tensor) -> Blocks:
        """A tensor of type Q4_1 or Q4_K. Raises NoGguf."""
        read, size, weights = (
            (_q4_1, _Q4_1_BYTES, GROUP) if tensor.type == Q4_1 else (_q4_k, _Q4_K_BYTES, _Q4_K_WEIGHTS)
        )
        if tensor.type not in (Q4_1, Q4_K) or tensor.columns % weights:
            raise NoGguf(f"{tensor.name} has a type or width that is not read")
        per_row = tensor.columns // weights
        raw = self._slice(tensor.offset, tensor.rows * per_row * size)
        return read(raw.reshape(tensor.rows, per_row, size))

    def _read_head(self) -> Iterator[Tensor]:
        if self._bytes(len(_MAGIC)) != _MAGIC or self._number("I") not in _VERSIONS:
            raise NoGguf("no GGUF of version 2 or 3")
        tensors, entries = self._number("Q"), self._number("Q")
        alignment = _ALIGNMENT
        for _ in range(entries):
            key, kind = self._string(), self._number("I")
            if key == _ALIGNMENT_KEY and _SIZES.get(kind) == struct.calcsize("I"):
                alignment = self._number("I") or _ALIGNMENT
            else:
                self._skip(kind)
        found = [self._tensor() for _ in range(tensors)]
        start = -(-self._at // alignment) * alignment
        for name, kind, dims, offset in found:
            rows = int(np.prod(dims[1:], dtype=object))
            yield Tensor(name, kind, rows, dims[0], start + offset)

    def _tensor(self) -> tuple[str, int, list[int], int]:
        name, count = self._string().decode(errors="replace"), self._number("I")
        if not 1 <= count <= _DIMS_MAX:
            raise NoGguf(f"a tensor of {count} dimensions")
        dims = [self._number("Q") for _ in range(count)]
        return name, self._number("I"), dims, self._number("Q")

    def _skip(self, kind: int) -> None:
        """One value of metadata; none is needed here."""
        if kind == _STRING:
            self._string()
        elif kind == _ARRAY:
            inner, count = self._number("I"), self._number("Q")
            if inner in _SIZES:
                self._bytes(_SIZES[inner] * count)
            elif inner == _STRING:
                for _ in range(count):
                    self._string()
            else:
                raise NoGguf("metadata of an unknown type")
        elif kind in _SIZES:
            self._bytes(_SIZES[kind])
        else:
            raise NoGguf("metadata of an unknown type")

    def _string(self) -> bytes:
        return self._bytes(self._number("Q"))

    def _number(self, code: str) -> int:
        (value,) = struct.unpack(f"<{code}", self._bytes(struct.calcsize(code)))
        return int(value)

    def _bytes(self, count: int) -> bytes:
        found = self._slice(self._at, count).tobytes()
        self._at += count
        return found

    def _slice(self, start: int, count: int) -> Codes:
        if start + count > self._data.size:
            raise NoGguf("it ends too soon")
        return self._data[start : start + count]


def _q4_1(raw: Codes) -> Blocks:
    """[rows, groups, 20] bytes: d, m, then codes; the low halves of the bytes come first."""
    halves = _f16(raw[..., :4])
    packed = raw[..., 4:]
    codes = np.concatenate([packed & 15, packed >> 4], axis=-1)
    return Blocks(codes, halves[..., 0], halves[..., 1])


def _q4_k(raw: Codes) -> Blocks:
    """[rows, super-blocks, 144] bytes: d, dmin, scales and minima in 6 bits, codes by 64: low halves, then high."""
    rows, blocks, _ = raw.shape
    halves, six = _f16(raw[..., :4]), raw[..., 4:16]
    low, high, top = six[..., :4], six[..., 4:8], six[..., 8:]
    scales = np.concatenate([low & 63, top & 15 | low >> 6 << 4], axis=-1)
    minima = np.concatenate([high & 63, top >> 4 | high >> 6 << 4], axis=-1)
    packed = raw[..., 16:].reshape(rows, blocks, 4, GROUP)
    codes = np.stack([packed & 15, packed >> 4], axis=3).reshape(rows, -1, GROUP)
    return Blocks(
        codes,
        (halves[..., :1] * scales).reshape(rows, -1),
        (-halves[..., 1:] * minima).reshape(rows, -1),
    )


def _f16(raw: Codes) -> Any:
    """Pairs of bytes as f32."""
    return np.ascontiguousarray(raw).view(np.float16).astype(np.float32)
