"""What a row of kind "telemetry.bucket" says: counts of an interval, small cells suppressed by the node. Pure.

Form: `{"start_s":int,"length_s":int,"counts":{NAME:{CELL:int|null}}}`; null is a cell of fewer than five.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_sync.store.streams import CountRow, RecordRow

KIND = "telemetry.bucket"
# Names and cells of one bucket: the node has about thirty; a hundred times that is a fault.
CELLS_MAX = 3_000
# A count above this is a fault, and would not fit the database's sums.
COUNT_MAX = 10**12
_LATEST_S = 2**33  # the year 2242: beyond it, datetime arithmetic is at risk

_Name = Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,60}$")]
_Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]


class _Bucket(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    start_s: int = Field(ge=0, le=_LATEST_S)
    length_s: int = Field(ge=1, le=86_400)
    counts: dict[_Name, dict[_Name, _Count | None]]


def read_counts(row: RecordRow) -> tuple[CountRow, ...] | None:
    """The cells of a bucket, named NAME.CELL; None when the row is another kind or not well formed."""
    if row.kind != KIND:
        return None
    try:
        bucket = _Bucket.model_validate_json(row.payload)
    except ValidationError:
        return None
    start = datetime.fromtimestamp(bucket.start_s, UTC)
    cells = [
        CountRow(start, bucket.length_s, f"{name}.{cell}", value)
        for name, group in bucket.counts.items()
        for cell, value in group.items()
    ]
    return tuple(cells) if len(cells) <= CELLS_MAX else None
