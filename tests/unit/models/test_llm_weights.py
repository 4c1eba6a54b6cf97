"""A language model keeps its GGUF's weights: the reader of blocks, and what is put back into a converted model."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
import openvino_genai
import pytest
from openvino import opset13

from models.errors import ModelBuildFailed
from models.recipes.files import LLM_FILES
from models.recipes.generator import convert_gguf
from models.recipes.gguf import GROUP, Q4_1, Q4_K, Blocks, Gguf, NoGguf
from models.recipes.llm_weights import in_rows, restore_weights

ROWS, COLUMNS = 6, 2 * GROUP
STRING, ARRAY, U32 = 8, 9, 4
RANDOM = np.random.default_rng(7)

Matrix = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16], npt.NDArray[np.float16]]
"""Codes [rows, groups, GROUP]; scales and minima [rows, groups]."""


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf_bytes(tensors: dict[str, tuple[int, tuple[int, int], bytes]], alignment: int = 32) -> bytes:
    """A file with some metadata of every form; `tensors`: type, (rows, columns), data."""
    metadata = [
        text(b"general.architecture") + struct.pack("<I", STRING) + text(b"llama"),
        text(b"general.alignment") + struct.pack("<II", U32, alignment),
        text(b"tokens") + struct.pack("<IIQ", ARRAY, STRING, 2) + text(b"a") + text(b"bc"),
        text(b"types") + struct.pack("<IIQ", ARRAY, U32, 2) + bytes(8),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata)
    data = b""
    for name, (kind, (rows, columns), content) in tensors.items():
        data += bytes(-len(data) % alignment)
        head += text(name.encode()) + struct.pack("<IQQIQ", 2, columns, rows, kind, len(data))
        data += content
    return head + bytes(-len(head) % alignment) + data


def q4_1(
    codes: npt.NDArray[np.uint8], scales: npt.NDArray[np.float16], minima: npt.NDArray[np.float16]
) -> bytes:
    """Codes [rows, groups, 32]; weight by weight, so that it shares nothing with the reader."""
    out = b""
    for row, group in np.ndindex(scales.shape):
        of_group = codes[row, group]
        out += scales[row, group].tobytes() + minima[row, group].tobytes()
        out += bytes(int(of_group[i]) | int(of_group[i + 16]) << 4 for i in range(16))
    return out


def matrix(rows: int = ROWS) -> Matrix:
    codes = RANDOM.integers(0, 16, (rows, 2, GROUP), dtype=np.uint8)
    scales = RANDOM.uniform(0.01, 0.2, (rows, 2)).astype(np.float16)
    return codes, scales, (-scales * RANDOM.uniform(5, 9, (rows, 2))).astype(np.float16)


def weights_of(
    codes: npt.NDArray[np.uint8], scales: npt.NDArray[np.float16], minima: npt.NDArray[np.float16]
) -> npt.NDArray[np.float32]:
    exact = scales[..., None].astype(np.float32) * codes + minima[..., None].astype(np.float32)
    return exact.reshape(len(codes), -1)


def test_blocks_of_q4_1_are_read(tmp_path: Path) -> None:
    codes, scales, minima = matrix()
    path = tmp_path / "m.gguf"
    other = (0, (1, 3), bytes(12))
    path.write_bytes(
        gguf_bytes({"norm": other, "w": (Q4_1, (ROWS, COLUMNS), q4_1(codes, scales, minima))}, 64)
    )
    file = Gguf(path)
    assert [(one.name, one.type, one.rows, one.columns) for one in file.tensors] == [
        ("norm", 0, 1, 3),
        ("w", Q4_1, ROWS, COLUMNS),
    ]
    blocks = file.blocks(file.tensors[1])
    assert (blocks.codes == codes).all()
    assert (blocks.scales == scales).all() and (blocks.minima == minima).all()


def test_blocks_of_q4_k_are_read(tmp_path: Path) -> None:
    """Against the format's own words: eight groups a block, scale and minimum of each in 6 bits."""
    scales, minima = RANDOM.integers(0, 64, 8), RANDOM.integers(0, 64, 8)
    codes = RANDOM.integers(0, 16, (8, GROUP))
    six = bytearray(12)
    for group in range(4):
        six[group] = scales[group] | scales[group + 4] >> 4 << 6
        six[group + 4] = minima[group] | minima[group + 4] >> 4 << 6
        six[group + 8] = scales[group + 4] & 15 | (minima[group + 4] & 15) << 4
    packed = bytes(
        int(codes[2 * pair, i]) | int(codes[2 * pair + 1, i]) << 4 for pair in range(4) for i in range(GROUP)
    )
    raw = np.float16(0.5).tobytes() + np.float16(0.25).tobytes() + bytes(six) + packed
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes({"w": (Q4_K, (1, 256), raw)}))
    file = Gguf(path)
    blocks = file.blocks(file.tensors[0])
    assert (blocks.codes[0] == codes).all()
    assert (blocks.scales[0] == 0.5 * scales).all() and (blocks.minima[0] == -0.25 * minima).all()


def read_first(path: Path) -> Blocks:
    file = Gguf(path)
    return file.blocks(file.tensors[0])


def test_a_file_that_ends_too_soon_is_no_gguf(tmp_path: Path) -> None:
    content = gguf_bytes({"w": (Q4_1, (ROWS, COLUMNS), q4_1(*matrix()))})
    path = tmp_path / "m.gguf"
    for length in (*range(1, 260, 3), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(NoGguf):
            read_first(path)


@pytest.mark.parametrize(
    "content",
    [
        b"GGUX" + bytes(40),
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text(b"k") + struct.pack("<I", 77) + bytes(9),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text(b"k") + struct.pack("<IIQ", ARRAY, U32, 1 << 62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", (1 << 64) - 1) + bytes(9),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text(b"w") + struct.pack("<I", 9) + bytes(99),
    ],
)
def test_a_head_that_cannot_be_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(NoGguf):
        Gguf(path)


def test_rows_of_8_bits_are_off_by_half_a_step_at_most() -> None:
    weights = RANDOM.normal(size=(5, 40)).astype(np.float32)
    weights[3] = 0
    rows = in_rows(weights)
    steps = rows.scales.astype(np.float32)
    # A scale is itself rounded to 11 bits, which moves the largest code by 127 / 2^12 of a step.
    assert (np.abs(rows.codes * steps - weights) <= 0.54 * steps).all()
    assert not rows.codes[3].any()


def converted(values: list[npt.NDArray[np.uint8]], scales: list[npt.NDArray[np.float16]]) -> openvino.Model:
    """Products with one input, as OpenVINO GenAI writes them: minima rounded to 8 steps."""
    read = opset13.parameter([1, COLUMNS], np.float32, name="x")
    results = []
    for codes, scale in zip(values, scales, strict=True):
        packed = openvino.Tensor(openvino.Type.u4, openvino.Shape(codes.shape))
        flat = codes.reshape(-1)
        packed.data.view(np.uint8).reshape(-1)[:] = flat[0::2] | flat[1::2] << 4
        zeros = opset13.convert(opset13.constant(np.full((*scale.shape, 1), 8, np.uint8)), "f16")
        shifted = opset13.subtract(opset13.convert(opset13.constant(packed), "f16"), zeros)
        scaled = opset13.multiply(shifted, opset13.constant(scale[..., None]))
        flat_shape = opset13.constant(np.array([len(codes), COLUMNS], np.int64))
        weights = opset13.convert(opset13.reshape(scaled, flat_shape, False), "f32")
        results.append(opset13.result(opset13.matmul(read, weights, False, True)))
    return openvino.Model(results, [read])


def answers(model_xml: Path, x: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    compiled = openvino.Core().compile_model(
        model_xml, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    )
    return [np.array(value) for value in compiled([x]).values()]


def test_weights_come_back_whatever_the_order_of_rows(tmp_path: Path) -> None:
    """Two matrices of one input, the second with rows turned round, and one of a type without minima."""
    first, second, third = matrix(), matrix(4), matrix(3)
    path, model_xml = tmp_path / "m.gguf", tmp_path / "openvino_model.xml"
    path.write_bytes(
        gguf_bytes({"a": (Q4_1, (ROWS, COLUMNS), q4_1(*first)), "b": (Q4_1, (4, COLUMNS), q4_1(*second))})
    )
    turned = [part[::-1].copy() for part in second]
    openvino.save_model(
        converted([first[0], turned[0], third[0]], [first[1], turned[1], third[1]]),
        model_xml,
        compress_to_fp16=False,
    )
    x = RANDOM.normal(size=(1, COLUMNS)).astype(np.float32)
    before = answers(model_xml, x)
    assert restore_weights(model_xml, path) == 2
    after = answers(model_xml, x)
    for found, weights in zip(after, (weights_of(*first), weights_of(*turned)), strict=False):
        assert np.abs(found - x @ weights.T).max() < 0.02 * np.abs(x @ weights.T).max()
    assert np.abs(before[0] - x @ weights_of(*first).T).max() > 0.1
    assert np.allclose(before[2], after[2], rtol=1e-3, atol=1e-3)
    products = [
        node for node in openvino.Core().read_model(model_xml).get_ops() if node.get_type_name() == "MatMul"
    ]
    assert len(products) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "m.gguf",
        "openvino_model.bin",
        "openvino_model.xml",
    ]


def written(tmp_path: Path, *matrices: Matrix) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf_bytes({f"m{i}": (Q4_1, (len(one[0]), COLUMNS), q4_1(*one)) for i, one in enumerate(matrices)})
    )
    return path


def converted_from(tmp_path: Path, *matrices: Matrix) -> Path:
    model_xml = tmp_path / "openvino_model.xml"
    model = converted([one[0] for one in matrices], [one[1] for one in matrices])
    openvino.save_model(model, model_xml, compress_to_fp16=False)
    return model_xml


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_row_of_two_matrices_is_found_in_the_one_that_has_the_others(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """And in each of them with its own scales; twice in one of them, as rows of tokens that nobody uses are."""
    both = [matrix(), matrix(4)]
    both[0][0][2] = both[1][0][1]
    for part in both[0]:
        part[5] = part[4]
    path = written(tmp_path, *(both[number] for number in order))
    model_xml = converted_from(tmp_path, *both)
    assert restore_weights(model_xml, path) == 2
    x = RANDOM.normal(size=(1, COLUMNS)).astype(np.float32)
    for found, one in zip(answers(model_xml, x), both, strict=True):
        product = x @ weights_of(*one).T
        assert np.abs(found - product).max() < 0.02 * np.abs(product).max()


@pytest.mark.parametrize("part", [1, 2])
def test_rows_that_codes_do_not_tell_apart_are_refused(tmp_path: Path, part: int) -> None:
    """Within one matrix, and between two: their scales differ, or their minima."""
    one = matrix()
    one[0][1] = one[0][0]
    for of in (1, 2):
        if of != part:
            one[of][1] = one[of][0]
    with pytest.raises(NoGguf, match="rows of m0"):
        restore_weights(converted_from(tmp_path, one), written(tmp_path, one))
    first = matrix()
    second = (first[0], *(first[of] * np.float16(2) if of == part else first[of] for of in (1, 2)))
    with pytest.raises(NoGguf, match="told from each other"):
        restore_weights(converted_from(tmp_path, first, second), written(tmp_path, first, second))


def test_what_openvino_cannot_read_is_a_build_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, matrix())

    def leaves_no_model(*_: object, **__: object) -> None:
        for name in LLM_FILES:
            (tmp_path / name).write_text("no model")

    monkeypatch.setattr(openvino_genai, "LLMPipeline", leaves_no_model)
    with pytest.raises(ModelBuildFailed, match="cannot rewrite ours"):
        convert_gguf("ours", path)


def test_a_model_of_another_file_stays_as_it_is(tmp_path: Path) -> None:
    codes, scales, _ = matrix()
    path, model_xml = tmp_path / "m.gguf", tmp_path / "openvino_model.xml"
    path.write_bytes(gguf_bytes({"a": (Q4_1, (ROWS, COLUMNS), q4_1(*matrix()))}))
    openvino.save_model(converted([codes], [scales]), model_xml, compress_to_fp16=False)
    before = model_xml.read_bytes()
    with pytest.raises(NoGguf):
        restore_weights(model_xml, path)
    assert model_xml.read_bytes() == before


def test_a_file_without_minima_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes({"a": (8, (1, GROUP), bytes(34))}))
    assert restore_weights(tmp_path / "not-read.xml", path) == 0
