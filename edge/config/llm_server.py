"""A language model on another machine of the site's own network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from core.network import is_loopback
from edge.config.section import Section, require_inside


class LlmServerSection(Section):
    """A server that speaks OpenAI's protocol (vLLM, OVMS, llama.cpp, Ollama). Off without an address."""

    # Up to and with the version: "https://10.0.0.5:8000/v1".
    url: str | None = None
    model: str = Field(default="", max_length=200)
    # What prompt and answer may have together.
    context_tokens: int = Field(default=4096, ge=512, le=1_000_000)
    # How the server proves who it is: one of the two, off this machine.
    ca_file: Path | None = None
    sha256: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")] | None = None
    api_key_file: Path | None = None

    @model_validator(mode="after")
    def _stays_inside(self) -> LlmServerSection:
        if self.url is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("url must be http(s)://HOST[:PORT]/PATH, without a login in it")
        require_inside(parts.hostname)
        if not self.model:
            raise ValueError("model is needed: the name under which the server knows it")
        if not is_loopback(parts.hostname):
            self._must_prove(parts.scheme)
        return self

    def _must_prove(self, scheme: str) -> None:
        if scheme != "https":
            raise ValueError("off this machine the server's url must be https")
        if (self.ca_file is None) == (self.sha256 is None):
            raise ValueError(
                "off this machine either ca_file or sha256 must say which certificate is the server's"
            )
