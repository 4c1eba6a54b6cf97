"""How large the tagger is: what it costs beside the encoder's pass decides."""

from __future__ import annotations

from typing import Final

from models.recipes.tagger.graph import Rungs

RUNGS: Final = Rungs(reads=((2, 4, 6),), dim=384, wide=1024, heads=12)
