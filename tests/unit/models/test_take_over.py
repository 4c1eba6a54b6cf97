"""The encoder's file changes while it is asked; another model's vectors never take the place of those that serve."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.encoder import open_encoder
from models.errors import SwapRefused
from models.importing import import_model
from tests.unit.models.small_model import NAME, small_folder, version_head

TEXTS = ["wo ist das haus", "preis brot"]


def test_no_call_fails_while_the_same_weights_come_in_again(tmp_path: Path) -> None:
    models = tmp_path / "models"
    import_model(small_folder(tmp_path / "one"), models)
    encoder = open_encoder(models, model=NAME)
    background = encoder.in_background()
    done = threading.Event()

    def ask() -> int:
        asked = 0
        while not done.is_set():
            assert encoder.embed(TEXTS).shape[0] == background.encode(TEXTS).embeddings.shape[0]
            asked += 1
        return asked

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        for number in (2, 3, 4):
            import_model(small_folder(tmp_path / str(number), head=version_head(number)), models)
            encoder.take_over(open_encoder(models, model=NAME))()
        done.set()
        assert all(one.result() for one in asking)
    assert encoder.info.version == background.info.version == "4.0"
    background.close()
    encoder.close()


def test_other_weights_are_refused_and_the_old_ones_serve_on(tmp_path: Path) -> None:
    models = tmp_path / "models"
    import_model(small_folder(tmp_path / "one"), models)
    encoder = open_encoder(models, model=NAME)
    import_model(small_folder(tmp_path / "two", seed=2, head=version_head(2)), models)
    other = open_encoder(models, model=NAME)
    with pytest.raises(SwapRefused):
        encoder.take_over(other)
    assert encoder.info.version == "1.0"
    assert encoder.embed(TEXTS).shape[0] == len(TEXTS)
    other.close()
    encoder.close()
