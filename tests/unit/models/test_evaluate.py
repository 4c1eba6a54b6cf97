"""The gate's rules as tables, the machine's, and the catalogue's own soundness."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.catalog import EncoderGate, WheelFile, catalogue, encoder_entry, models_dir
from models.errors import ModelBuildFailed
from models.evaluate import EncoderFigures, answers, compare_encoders, encoder_shortfalls
from models.golden import GeneratorCase, encoder_golden, generator_golden
from models.machine import Machine
from models.recipes.wheel import read_wheel_file

GATE = EncoderGate(cosine_mean_min=0.985, cosine_min_min=0.95, top1_agreement_min=0.9, top1_correct_min=0.85)
GOOD = EncoderFigures(cosine_mean=0.99, cosine_min=0.96, top1_agreement=1.0, top1_correct=0.9)


def vectors(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(len(encoder_golden().texts), 8)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_a_build_equal_to_its_reference_agrees_with_it() -> None:
    figures = compare_encoders(vectors(1), vectors(1), encoder_golden())
    assert figures.cosine_min == pytest.approx(1, abs=1e-6)
    assert figures.top1_agreement == 1


def test_an_unrelated_build_misses_every_bound() -> None:
    figures = compare_encoders(vectors(1), vectors(2), encoder_golden())
    assert len(encoder_shortfalls(figures, GATE)) == 4


@pytest.mark.parametrize("name", ["cosine_mean", "cosine_min", "top1_agreement", "top1_correct"])
@pytest.mark.parametrize("value", [0.5, math.nan])
def test_each_bound_counts_alone(name: str, value: float) -> None:
    assert encoder_shortfalls(GOOD, GATE) == []
    assert len(encoder_shortfalls(EncoderFigures(**{**vars(GOOD), name: value}), GATE)) == 1


@pytest.mark.parametrize(
    ("text", "right"), [("It is on the GROUND floor.", True), ("", False), ("Upstairs", False)]
)
def test_an_answer_must_carry_the_fact(text: str, right: bool) -> None:
    assert answers(GeneratorCase("", "", ("ground",)), text) is right


@pytest.mark.parametrize(
    ("architecture", "flags", "reduced"),
    [
        ("x86_64", ("avx2",), True),
        ("x86_64", ("avx2", "avx512_vnni"), False),
        ("x86_64", ("avx2", "avx_vnni"), False),
        ("aarch64", ("asimd",), False),
    ],
)
def test_seven_bit_weights_only_where_eight_saturate(
    architecture: str, flags: tuple[str, ...], reduced: bool
) -> None:
    assert Machine(architecture=architecture, cpu="", flags=flags, runtimes={}).needs_reduced_range is reduced


def test_every_question_of_the_golden_set_has_its_passage() -> None:
    golden = encoder_golden()
    assert {passage for _, passage in golden.questions} == set(range(len(golden.passages)))
    assert all(answers(case, case.context) for case in generator_golden())


def test_every_model_of_the_catalogue_has_a_card() -> None:
    cards = Path(__file__).parents[3] / "models" / "cards"
    for entry in catalogue():
        assert entry.source.sha256 in (cards / f"{entry.name}.md").read_text("utf-8")


def test_the_models_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTERN_MODELS", str(tmp_path))
    assert models_dir() == tmp_path


def test_a_file_that_is_not_the_catalogues_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("weights", b"tampered")
    wanted = WheelFile(role="weights", path="weights", sha256=encoder_entry().file("weights").sha256)
    with pytest.raises(ModelBuildFailed, match="not the file"):
        read_wheel_file(wheel, wanted)
    with pytest.raises(ModelBuildFailed, match="no usable"):
        read_wheel_file(wheel, wanted.model_copy(update={"path": "absent"}))
