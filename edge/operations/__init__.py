"""What can be done with an open site, by name: plain JSON in and out, for the command line and the console alike."""

from __future__ import annotations
