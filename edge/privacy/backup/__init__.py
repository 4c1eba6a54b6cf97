"""Backup and restore of a site.

A backup is one file in the age format (age-encryption.org/v1), encrypted to the site's recovery key: a tar of settings,
policy, documents and store. People's keys are not in it. They are in a small file beside it (`keys_file`), which lives:
whoever is erased goes from there too. `making` writes, in a process of its own; `restoring` puts a site together beside
the old one, and changes the two in one step.
"""

from __future__ import annotations
