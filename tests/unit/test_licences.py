"""Every installed library has a licence on the list of permitted ones; GPL and AGPL are not, LGPL is."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions

import pytest

PERMITTED = {
    "0bsd", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cnri-python", "epl-2.0", "isc",
    "lgpl-2.1-or-later", "lgpl-2.0-or-later", "lgpl-3.0-or-later", "lgpl-3.0-only",
    "mit", "mit-0", "mit-cmu", "mpl-1.1", "mpl-2.0", "psf-2.0",
    "public-domain", "unlicense", "zlib", "hpnd", "zpl-2.1",
}  # fmt: skip

# What packages write in place of an SPDX name.
SPELLINGS = {
    "3-clause bsd license": "bsd-3-clause",
    "apache license, version 2.0": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "apache software license": "apache-2.0",
    "bsd license": "bsd",
    "gnu lesser general public license v2 or later (lgplv2+)": "lgpl-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "lgpl-3.0-only",
    "isc license (iscl)": "isc",
    "mit license": "mit",
    "mozilla public license 2.0 (mpl 2.0)": "mpl-2.0",
    "public domain": "public-domain",
    "python software foundation license": "psf-2.0",
    "the unlicense (unlicense)": "unlicense",
}

# A remark of Debian's, not a licence.
NOT_LICENCES = {"dfsg approved", "osi approved"}

# Distributions whose metadata name no licence; read from the licence file in the source on the date given.
READ_BY_HAND = {
    "pyrage": "mit",  # 2026-11
    "sqlcipher3": "zlib",  # 2026-11: zlib licence, SQLCipher itself BSD-3-Clause
}


def named_licences(metadata: dict[str, list[str]]) -> list[str]:
    """The licence expressions that a package's metadata give, most exact source first."""
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        c.split("::")[-1].strip() for c in metadata.get("Classifier", []) if c.startswith("License")
    ]
    classifiers = [c for c in classifiers if c.lower() not in NOT_LICENCES]
    if classifiers:
        return classifiers
    return [text.strip().splitlines()[0] for text in metadata.get("License", []) if text.strip()]


def is_permitted(expression: str) -> bool:
    """Whether an SPDX expression can be met with permitted licences: any side of OR, every side of AND."""
    text = expression.strip().lower()
    text = SPELLINGS.get(text, text)
    alternatives = re.split(r"\s+or\s+", text)
    return any(
        all(part.strip(" ()") in PERMITTED for part in re.split(r"\s+and\s+", alternative))
        for alternative in alternatives
    )


def _metadata(distribution: Distribution) -> dict[str, list[str]]:
    fields = ("License-Expression", "License", "Classifier")
    return {name: list(distribution.metadata.get_all(name) or []) for name in fields}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-2.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("", False),
    ],
)
def test_the_rule_itself(expression: str, expected: bool) -> None:
    assert is_permitted(expression) is expected


@pytest.mark.proves("tested-releases")
def test_every_installed_library_is_permitted() -> None:
    refused = []
    for distribution in distributions():
        name = distribution.metadata["Name"]
        licences = named_licences(_metadata(distribution))
        if name in READ_BY_HAND and not licences:
            licences = [READ_BY_HAND[name]]
        if not licences or not all(is_permitted(licence) for licence in licences):
            refused.append(f"{name}: {licences or 'names no licence'}")
    assert not refused, f"not on the list of permitted licences: {refused}"


def test_the_two_onnx_runtimes_are_never_installed_together() -> None:
    names = {distribution.metadata["Name"].lower() for distribution in distributions()}
    assert not {"onnxruntime", "onnxruntime-gpu"} <= names, (
        "side by side the CUDA provider vanishes; remove one"
    )
