"""Forgetting somebody at the running node, on the command line: with a receipt, and not while a legal hold lasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.running import Customer, RunningNode, command

PATIENT = "patient-7"


async def arrive(customer: Customer, subject: str) -> None:
    """Begin a conversation under a name, as an integrator's program does, and accept the notice."""
    customer.token = ""
    status, made = await customer.send("POST", "/api/v1/sessions", {"channel": "api", "subject": subject})
    assert status == 201, made
    customer.session_id, customer.token = made["session_id"], made["token"]
    consent = {"notice_version": made["notice"]["version"], "overflow": False}
    status, reply = await customer.send("POST", f"/api/v1/sessions/{customer.session_id}/consent", consent)
    assert status == 204, reply


async def postern(node: RunningNode, *words: str, expect: int = 0) -> Any:
    return await command("privacy", *words, "--site", str(node.site), "--json", expect=expect)


async def test_a_hold_an_erasure_and_its_receipt(
    node: RunningNode, customer: Customer, tmp_path: Path
) -> None:
    await arrive(customer, PATIENT)
    turn = (await customer.ask("My name is Zacharias Kanarienvogel. When are you open?"))["turn_id"]
    status, ticket = await customer.send("POST", f"{customer.turns}/{turn}/handoff", {})
    assert status == 201
    held = await postern(node, "hold", "--subject", ticket["ticket"], "--reference", "case 12")
    assert held["subject"] == PATIENT
    status, problem = await customer.send("DELETE", f"/api/v1/sessions/{customer.session_id}")
    assert (status, problem["code"]) == (409, "legal_hold")
    status, problem = await customer.send("POST", customer.turns, {"text": "Hello?"})
    assert (status, problem["code"]) == (401, "session_not_found")
    assert "legal hold" in str(await postern(node, "erase", "--subject", PATIENT, expect=5)).lower()

    released = await postern(node, "release", "--subject", PATIENT)
    receipt = released["receipt"]
    assert (receipt["found"], receipt["removed"]["turns"], receipt["removed"]["handoffs"]) == (True, 1, 1)
    assert receipt["logs_emptied"]
    file, key = tmp_path / "receipt.json", node.site / "keys" / "receipts.pub"
    again = await postern(node, "erase", "--subject", PATIENT, "--receipt", str(file))
    assert not again["found"]
    checked = await command("privacy", "receipt", "verify", str(file), "--key", str(key), "--json")
    assert checked == again
    file.write_text(file.read_text().replace('"found": false', '"found": true'))
    await command("privacy", "receipt", "verify", str(file), "--key", str(key), expect=3)
    assert len(await postern(node, "erasures")) == 2
    assert await postern(node, "holds") == []
