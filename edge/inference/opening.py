"""Opening the encoder beside other work: most of it is native code, which runs while Python loads the rest."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from edge.config import Config
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder


def start_opening(config: Config) -> Future[Encoder]:
    """Begin to open the site's encoder in a thread. The future raises what `open_encoder` raises."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="open-encoder")
    settings = config.models
    opening = threads.submit(
        open_encoder,
        models_dir(),
        settings.runtime,
        settings.encoder_threads,
        device=settings.device,
        model=settings.encoder,
    )
    threads.shutdown(wait=False)
    return opening
