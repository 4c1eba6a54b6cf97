"""What every section of `site.toml` is: frozen, and strict about keys it does not know."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.errors import ConfigError
from core.network import require_local

Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A table of `site.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def require_inside(host: str) -> None:
    """As `require_local`, in the form that a model's validator may raise. Raises ValueError."""
    try:
        require_local(host)
    except ConfigError as error:
        raise ValueError(error.detail) from None
