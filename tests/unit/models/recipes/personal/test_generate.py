"""The generator: exact spans, the same sentences for a seed, every type, frames, what is held out."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from models.recipes.personal import lists
from models.recipes.personal.frames import frames, parse
from models.recipes.personal.generate import generate
from models.recipes.personal.slots import AGAIN, LABELLED

EXAMPLES = 3_000


def test_spans_are_in_order_apart_and_hold_no_spaces_at_their_ends():
    for example in generate(EXAMPLES, seed=1):
        for span in example.spans:
            value = example.text[span.start : span.end]
            assert value == value.strip()
            assert value
        assert all(a.end <= b.start for a, b in pairwise(example.spans))


def test_text_apart_from_spans_is_the_frame():
    """Where nothing was noised, what is left of a text without its spans is its frame without its slots."""
    clean = 0
    for example in (
        generate(EXAMPLES, seed=2, shapes=("log",), languages=("en",)) if ("en", "log") in frames() else ()
    ):
        slots = re.findall(r"\{(~?[A-Za-z_]+)\}", example.frame)
        if any(slot.islower() for slot in slots) or len(slots) != len(example.spans):
            continue
        rest, at = "", 0
        for span in example.spans:
            rest, at = rest + example.text[at : span.start], span.end
        clean += rest + example.text[at:] == re.sub(r"\{~?[A-Za-z_]+\}", "", example.frame).replace(
            "\\n", "\n"
        )
    assert clean or ("en", "log") not in frames()


def test_a_seed_gives_the_same_examples_and_another_gives_others():
    first, same, other = (list(generate(200, seed=seed)) for seed in (3, 3, 4))
    assert first == same
    assert first != other


@pytest.mark.parametrize("slot", sorted(LABELLED))
def test_every_slot_is_labelled_with_its_type_and_varies(slot, tmp_path, monkeypatch):
    line = f"here it is: {{{slot}}} and more"
    monkeypatch.setattr(
        "models.recipes.personal.generate.frames", lambda: {("en", "log"): (parse(line, "en", "log"),)}
    )
    values = set()
    for example in generate(60, seed=5):
        (span,) = example.spans
        assert span.type == LABELLED[slot][0]
        assert example.text[: span.start] == "here it is: "
        assert example.text[span.end :] == " and more"
        values.add(example.text[span.start : span.end])
    assert len(values) > 15


def test_every_type_of_the_contract_has_a_slot():
    contract = """
        PERSON ADDRESS LOCATION ORGANIZATION DATE DATE_OF_BIRTH AGE EMAIL PHONE FAX URL IP_ADDRESS MAC_ADDRESS
        CREDIT_CARD IBAN BANK_ACCOUNT
        ROUTING_NUMBER US_SSN TAX_ID NATIONAL_ID PASSPORT DRIVER_LICENSE MEDICAL_RECORD HEALTH_PLAN
        VEHICLE_ID LICENSE_PLATE DEVICE_ID USERNAME PASSWORD CRYPTO_ADDRESS NRP TITLE OTHER_ID
    """
    assert {kind for kind, _ in LABELLED.values()} == set(contract.split())


def test_every_frame_parses_and_plain_ones_have_no_personal_slot():
    assert sum(len(of_key) for of_key in frames().values()) > 10
    with pytest.raises(ValueError, match="unknown slot NAME"):
        parse("I am {NAME}", "en", "chat")
    with pytest.raises(ValueError, match="plain"):
        parse("I am {PERSON}", "en", "plain")


def test_braces_of_json_are_text():
    assert parse('{"name": "{PERSON}", "tags": {}}', "en", "json").parts == (
        '{"name": "',
        "PERSON",
        '", "tags": {}}',
    )


def test_a_slot_with_a_tilde_repeats_what_was_said(monkeypatch):
    line = "{EMAIL} is {~EMAIL}; {PERSON}: {~FIRST} {~LAST}"
    monkeypatch.setattr(
        "models.recipes.personal.generate.frames", lambda: {("en", "log"): (parse(line, "en", "log"),)}
    )
    for example in generate(50, seed=6, origins=("english",)):
        email, again, *_ = (example.text[span.start : span.end] for span in example.spans)
        assert email == again
    assert set(AGAIN) <= set(LABELLED)


def _words(origin: str) -> set[str]:
    """Of five letters at least: two short names of elsewhere may well make a shorter one."""
    found = lists.origins()[origin]
    return {
        word for name in (*found.female, *found.male, *found.last) for word in name.split() if len(word) > 4
    }


def test_an_origin_and_a_locale_that_are_held_out_never_occur():
    kept = set(lists.origins()) - {"hungarian"}
    ours = _words("hungarian") - {word for origin in kept for word in _words(origin)}
    assert all(example.origin != "hungarian" for example in generate(500, seed=7, origins=kept))
    for example in generate(2_000, seed=7, origins=kept, locales=("en-US",)):
        people = (example.text[span.start : span.end] for span in example.spans if span.type == "PERSON")
        assert not ours & set(" ".join(people).split())
    assert {example.locale for example in generate(300, seed=8, locales=("de-DE",))} == {"de-DE"}


def test_frames_are_kept_by_their_text():
    chosen = {example.frame for example in generate(300, seed=9, frame_kept=lambda text: "{EMAIL}" in text)}
    assert chosen
    assert all("{EMAIL}" in frame for frame in chosen)
    with pytest.raises(ValueError, match="left"):
        next(generate(1, seed=1, frame_kept=lambda _: False))
