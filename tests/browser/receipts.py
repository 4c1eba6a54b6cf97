"""Receipts as the node makes them, for pages under test."""

from __future__ import annotations

from typing import Any

from edge.web.receipt_api import code_of

AT_MS = 1_772_323_260_000
ENVELOPE = "5f" * 16
PROOF = {
    "log_key": "postern-ledger/4c1f3f7d2b6a9e805512aa03c7de9b71+0f3c9a1b+AQ3n8bXw6v8v4d7Qf0mJ8f0fV1p8m9r7u6Zk2cT5xYhN",
    "checkpoint": "postern-ledger/4c1f3f7d2b6a9e805512aa03c7de9b71\n1904\n"
    "q7k1oV8oE8b3m8sVq0o7vS4q1k0w8o2d9z7b6Y5xWc8=\n\n"
    "\u2014 postern-ledger/4c1f3f7d2b6a9e805512aa03c7de9b71 DzyaG1m0Wq0c5b1uP1o7vS4q1k0w8o2d9z7b6Y5xWc8h\n",
    "entries": 1904,
}


def record(outcome: str, *indexes: int) -> dict[str, Any]:
    leaves = [{"index": index, "entry": "{}", "proof": ["ab" * 32]} for index in indexes]
    return {
        "outcome": outcome, "addresses": ["cloud.example.org:7443"],
        "policy": "3a9c51" + "0f" * 29, "verdict": "public", "leaves": leaves,
    }  # fmt: skip


def text(size: int = 1840, envelope: str = ENVELOPE, label: str = "public", **more: Any) -> dict[str, Any]:
    told = {
        "at_ms": AT_MS - 60_000,
        "purpose": "overflow",
        "bytes": size,
        "label": label,
        "envelope": envelope,
    }
    return {**told, "destination": "control-plane", "record": record("written", 1901, 1902), **more}


def use(service: str, size: int, outcome: str = "whole") -> dict[str, Any]:
    """Something that a server of the site was told."""
    return {"at_ms": AT_MS, "service": service, "bytes": size, "outcome": outcome}


def receipt(
    *left: dict[str, Any], missing: str = "", inside: int = 0, uses: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    """Of these texts; `missing`: why there is no proof; `inside`: bytes that a language model of the site was told."""
    uses = (*uses, *((use("llm_server", inside),) if inside else ()))
    return {
        "session_id": "s1", "at_ms": AT_MS, "left_bytes": sum(one["bytes"] for one in left),
        "left": [{**one, "record": None} if missing else one for one in left], "site_network": [*uses],
        "claim": "complete for kernel-counted egress of the courier of this host", "proof": None if missing else PROOF,
        "proof_missing": missing, "format": "postern-visitor-receipt-1", "key": "7b" * 32, "signature": "c2ln",
    }  # fmt: skip


def link(origin: str = "https://desk.clinic.internal", no_qr: str = "") -> dict[str, Any]:
    url = f"{origin}/receipt#AbCdEfGhIjKlMnOpQrStUv"
    return {"url": url, "expires_in_s": 600, "qr": "" if no_qr else code_of(url), "no_qr": no_qr}
