"""What a control plane carries that writes no answers: no model, no runtime."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "numpy",
    "tokenizers",
    "onnxruntime",
    "openvino_genai",
    "cloud_sync.overflow.answering",
    "models.encoder",
)
LOOK = f"""
import sys
import cloud_sync.cli, cloud_sync.app
sys.exit(",".join(name for name in {HEAVY!r} if name in sys.modules) or 0)
"""


def test_without_overflow_no_model_and_no_runtime_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
