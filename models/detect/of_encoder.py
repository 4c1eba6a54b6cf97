"""The detector on an encoder: its tagger reads the layers of a pass, of whichever model serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.detect import special
from models.detect.decoding import decode
from models.detect.detector import Detector
from models.detect.network import shipped
from models.detect.site_patterns import NO_SITE_PATTERNS, SitePatterns
from models.detect.spans import Span
from models.detect.tagger import Passed, Tagged
from models.detect.trade import without_trade

if TYPE_CHECKING:
    from models.encoder import Encoder


class EncoderTagger:
    """Passes of an encoder."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def complete(self) -> bool:
        """Whether passes have `tagged`, with the encoder that serves now."""
        return self._encoder.tags

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        """One a text, in order, in the calling thread. Raises RuntimeUnavailable."""
        return self._encoder.tag_here(texts)


def detector_on(encoder: Encoder, region: str, site: SitePatterns = NO_SITE_PATTERNS) -> Detector:
    """The detector whose tagger reads the layers of `encoder`; `site`: the site's own identifiers."""
    labels = shipped().labels

    def read(text: str, tagged: Tagged) -> list[Span]:
        return without_trade(text, decode(labels, text, tagged))

    return Detector(region, EncoderTagger(encoder), special.shipped(), read, site=site)
