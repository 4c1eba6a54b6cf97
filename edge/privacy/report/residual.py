"""What remains after the measures, as plainly as it is known: from the site's state and what was measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edge.privacy.policy import Purpose
from edge.privacy.report.facts import Facts
from edge.privacy.report.wording import joined, number, text_may_go


def residual(facts: Facts) -> Iterator[str]:
    """One sentence or two for each; none is left out because it does not look good."""
    yield from _of_the_detector(facts)
    yield from _of_keys(facts)
    yield from _of_this_site(facts)
    yield from _of_the_machine(facts)
    yield (
        "Memory of a running process can hold a sentence for a while after it was wiped; the language in"
        " which the product is written cannot prevent it, but core files are forbidden. A machine that"
        " hibernates writes all memory to its disk."
    )
    yield (
        "Lines cut off at the end of the record of what left are noticed only against a checkpoint kept"
        " elsewhere."
    )
    yield "Others in the room can read the screen or listen; the product cannot see them."


def _of_the_detector(facts: Facts) -> Iterator[str]:
    if not facts.languages:
        yield "What the detector misses was not measured in any language: no text is handed on."
        return
    yield (
        "The detector misses some of what is personal, at the rates in the table below. A conversation with"
        " twenty names loses one now and then. What identifies without naming (“the only dentist in the"
        " village”) it does not find at all."
    )
    if kept := facts.rows_of("unanswered") + facts.rows_of("examples"):
        yield (
            f"{number(kept)} questions without an answer and examples are kept now, with what was found"
            " replaced; what was missed stands in them until they are removed."
        )


def _of_keys(facts: Facts) -> Iterator[str]:
    if facts.keys.root_in == "file":
        yield (
            "No TPM is in use, and the root key lies as a file on the machine's own disk: whoever takes the"
            " disk as a whole, and not only the databases, can read what is on it. A TPM mends this, and so"
            " does encryption of the whole disk by the operating system."
        )
    if facts.keys.recovery_key_here:
        yield "The recovery key still lies on the machine: with it, a copy of the disk opens anywhere."
    yield (
        "Whoever holds the recovery key and a copy of the site's folder can read all that was stored when"
        " the copy was made, wherever the TPM is."
    )
    yield (
        "An older copy of a file of keys beside a backup, together with that backup and the recovery key,"
        " still opens what was erased since: an erasure reaches the files that the site knows, and not"
        " copies of them."
    )
    yield (
        "Whoever holds an older copy of `store/keys.db` with its keys, and an older copy of `store/site.db`,"
        " can read conversations that were wiped since. Copies of `keys.db` are to be kept no longer than"
        " they must."
    )


def _of_the_machine(facts: Facts) -> Iterator[str]:
    """What only a running node knows is held against the site while none runs."""
    if facts.site.processes_apart is None:
        yield (
            "Whether the processes have accounts of their own is not known, as no node runs: without them no"
            " kernel rule keeps a node that is taken over from sending."
        )
    elif not facts.site.processes_apart:
        yield (
            "The processes share one account at this site, or the rules of who may send what are not in force: if the"
            " node is taken over, no kernel rule keeps it from sending. The installer mends this."
        )
    if facts.site.memory_can_be_swapped is None:
        yield "Whether memory can be swapped to a disk is not known, as no node runs."
    elif facts.site.memory_can_be_swapped:
        yield "Memory can be swapped to a disk at this site."


def _of_this_site(facts: Facts) -> Iterator[str]:
    if not facts.site.behind_tls_proxy:
        yield (
            "No TLS proxy is named in the settings; a kiosk on another machine than the node must not be"
            " connected in clear."
        )
    if facts.others.llm_server:
        yield (
            f"What the language model server at {facts.others.llm_server} keeps, and whom it connects to, the"
            " product cannot see."
        )
    if facts.others.siblings:
        yield (
            "Erasure, legal holds and exports are each node's own: a conversation may go on at"
            f" {' and '.join(facts.others.siblings)}, and until its whole time is over a token from before an"
            " erasure could bring its newest answers back there."
        )
    if text_may_go(facts, Purpose.OVERFLOW):
        yield (
            "A value that the detector missed stands in a text that goes to the control plane. It scans once more and"
            " refuses what it recognises; what the providers of its language models keep, the product cannot see."
        )
    if facts.others.control_plane:
        yield (
            "The control plane sees the site's network address and when the node is connected, and, of a"
            " small site, in which hour the desk was used at all (“fewer than five”)."
        )
    if facts.others.programs_without_notice:
        yield (
            f"{facts.others.programs_without_notice} programs with a key are not bound to the notice of"
            " today: whether the people who use them are told, their makers answer for."
        )
    if facts.policy.trouble:
        yield (
            f"No privacy policy is in force: {facts.policy.trouble}. Nothing is handed on until it is mended."
        )
    if covered := [
        code for code in facts.site.languages if code not in {one.code for one in facts.languages}
    ]:
        yield f"The desk answers in {joined(covered)}, in which the detector was not measured."
