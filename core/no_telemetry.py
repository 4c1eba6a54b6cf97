"""Keeps libraries from calling home. Imported first by every package that loads one of them.

ONNX Runtime's Linux wheels from 1.29 on send usage to their maker unless this variable is set before the library is
loaded; it covers file names and hashes of models. Nothing but the courier may leave the site, so it is not an option.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
