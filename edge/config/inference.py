"""How answers are made, which models serve, and on what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.config.llm_server import LlmServerSection
from edge.config.section import Section


class AnswerSection(Section):
    """How answers are made."""

    mode: Literal["extractive", "generative"] = "extractive"
    # A person waits: past this the extractive answer is shown instead.
    generate_deadline_s: float = Field(default=20.0, gt=0, le=120)
    # Until a model's first words are shown: later than this the extractive answer is, so that answers begin within
    # a second. What is predicted to take longer is not tried. A large model on a small machine needs more.
    first_token_deadline_s: float = Field(default=0.8, gt=0, le=60)
    # Where the site's own model would begin later, the control plane's is asked, if the policy permits it and it begins
    # sooner: half of the time, so that the other half is enough for that one. Never later than first_token_deadline_s.
    overflow_after_s: float = Field(default=0.4, ge=0, le=60)
    max_new_tokens: int = Field(default=160, ge=16, le=1024)
    # Probability that what would be shown is right, below which the desk asks back or hands over: 2/3, as if a wrong
    # answer cost three times what "not in our documents" does (docs/adr/0011, docs/operations.md).
    evidence_min: float = Field(default=0.67, ge=0.0, le=1.0)
    # While the store can take no row (a full disk, a read-only one): "answer" goes on answering, marked as unrecorded,
    # "refuse" answers nothing that it cannot record (docs/adr/0053).
    unrecorded: Literal["answer", "refuse"] = "refuse"


class ModelsSection(Section):
    """Which models serve, and on what."""

    encoder: str = "all-minilm-l6-v2"
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    # A device that is asked for and not there is told everywhere, and the processor serves.
    device: Literal["auto", "cpu", "cuda", "gpu", "npu"] = "auto"
    # Of this machine; "": none.
    llm: str = "smollm2-135m-instruct"
    # 0 lets the node choose from the number of cores.
    encoder_threads: int = Field(default=0, ge=0, le=64)
    # Writes generated answers in the place of the model on this machine.
    llm_server: LlmServerSection = LlmServerSection()
