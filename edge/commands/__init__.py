"""What `postern` does with its arguments: each command is one call. No logic."""

from __future__ import annotations
