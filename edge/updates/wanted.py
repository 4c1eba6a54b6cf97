"""What a control plane wants a node to run, as the desired state carries it. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

UPDATES_MAX = 16
NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class Update(BaseModel):
    """Something that this node is to run, as the signed metadata names it; `edge.updates` carries it out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["model", "knowledge", "policy", "software"]
    name: Annotated[str, Field(pattern=NAME)]
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+-]{0,31}$")]
    # Path of the target in both repositories: "KIND/NAME/VERSION".
    target: Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._+/-]{0,149}$")]
    rollout: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    # How long it is watched before it is kept.
    watch_s: Annotated[int, Field(ge=1, le=7 * 86_400)] = 900
