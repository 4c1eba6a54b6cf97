"""Draft of a data protection impact assessment (GDPR Art. 35(7)). Pure."""

from __future__ import annotations

from typing import Final

from edge.privacy.report.document import Block, Cell, Gap, Listing, Paragraph, Section, Table
from edge.privacy.report.duties import measure
from edge.privacy.report.facts import Facts, LanguageFacts
from edge.privacy.report.residual import residual
from edge.privacy.report.risks import RISKS, Graded, Risk
from edge.privacy.report.safeguards import servers
from edge.privacy.report.wording import duration, joined, number, text_may_go

_TWO: Final = ("Question", "Answer")
_TWO_WIDTHS: Final = (30, 70)


def dpia(facts: Facts) -> Section:
    """Description, necessity, risks, what remains, and who was asked."""
    return Section(
        id="dpia",
        title="Data protection impact assessment, draft (GDPR Art. 35)",
        blocks=(
            Paragraph(
                text="The maker's part of an assessment: what the machine does and what can go wrong with"
                " it. The controller completes it with the place, the people and the decision."
            ),
        ),
        sections=(
            _threshold(),
            _description(facts),
            _necessity(facts),
            _risks(facts),
            _what_remains(facts),
            _consultation(),
        ),
    )


def _threshold() -> Section:
    rows: tuple[tuple[Cell, ...], ...] = (
        (
            "Art. 35(3)(b): special categories on a large scale",
            Gap(text="whether people tell of health or other special categories here, and how many"),
        ),
        (
            "Art. 35(3)(a): systematic evaluation, automated decisions",
            "No: nobody is evaluated, and nothing is decided about anybody.",
        ),
        ("Art. 35(3)(c): public places monitored", "No: no camera, no microphone, no recognition of people."),
        (
            "New technology (Art. 35(1)); list of the supervisory authority (Art. 35(4))",
            Gap(text="whether the list names it"),
        ),
        ("Decision", Gap(text="assessment needed or not, by whom, on which day")),
    )
    return Section(
        id="dpia-threshold",
        title="Whether an assessment is needed",
        blocks=(Table(caption="Threshold", columns=_TWO, widths=_TWO_WIDTHS, rows=rows),),
    )


def _description(facts: Facts) -> Section:
    site, times = facts.site, facts.times
    generated = (
        "as quotes from the site's documents"
        if site.answer_mode == "extractive"
        else "as quotes from the site's documents, or in a language model's words, checked sentence by sentence"
    )
    answered = joined(site.languages) if site.languages else "no language yet"
    steps = (
        "A person at a kiosk, in the intranet or by a program of the site accepts the notice and writes a"
        " question.",
        "Danger is looked for first; then what is personal in the question is found, on this machine.",
        f"The answer comes from {number(site.documents)} documents of the site, {generated}. Languages:"
        f" {answered}.",
        "Question and answer are stored sealed. "
        f"They are wiped at the end of the conversation: after {duration(times.kiosk_silence_s)} of silence"
        " at a kiosk.",
        "Who asks for a person gets a number; the question is kept for staff, at most"
        f" {duration(times.ticket_h * 3600)}.",
        f"Questions without an answer are kept {facts.kept('unanswered')}, without what was found personal"
        " and tied to nobody.",
        _beyond(facts),
    )
    return Section(
        id="dpia-description",
        title="Systematic description (Art. 35(7)(a))",
        blocks=(
            Paragraph(text="Nature of the processing, step by step:"),
            Listing(items=steps),
            Gap(
                text="context: the place, its visitors, their relation to the organisation, children and"
                " people in need of protection"
            ),
            Gap(text="scope: visitors a day, how many of them use the desk"),
            Paragraph(
                text="Purposes, categories of data, recipients and periods stand in the record of processing"
                " activities; the assets are the node, its disk, its keys and the kiosks."
            ),
        ),
    )


def _beyond(facts: Facts) -> str:
    beyond = [
        *servers(facts),
        *([f"the control plane ({facts.others.control_plane})"] if facts.others.control_plane else []),
    ]
    if not beyond:
        return "Nothing goes beyond the machine."
    texts = "no text of a customer" if not text_may_go(facts) else "text only as the policy permits"
    return f"Beyond the machine: {joined(beyond)}; {texts}."


def _necessity(facts: Facts) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = (
        (
            "Lawful basis (Art. 6, 9)",
            Gap(text="as in the record; where it is legitimate interest, the balancing"),
        ),
        (
            "Why a machine is needed, and what would do with less",
            Gap(text="reason; alternatives that were weighed"),
        ),
        (
            "Limits of purpose (Art. 5(1)(b))",
            "Each column of the store names its purpose. What was asked serves the answer; what is kept to"
            " improve answers is without what was found personal.",
        ),
        (
            "As little as possible (Art. 5(1)(c))",
            f"No account, no name and no device is asked of a visitor. {measure('counts-only').how(facts)}",
        ),
        ("Accuracy (Art. 5(1)(d))", measure("sources").how(facts)),
        ("No longer than needed (Art. 5(1)(e))", measure("wiping").how(facts)),
        ("Being told (Art. 12 to 14)", measure("notice").how(facts)),
        ("Consent (Art. 7)", measure("consent").how(facts)),
        (
            "Access and portability (Art. 15, 20)",
            f"{measure('export').how(facts)} A visitor who can name nothing of theirs cannot be told apart"
            " afterwards (Art. 11).",
        ),
        ("Erasure (Art. 17)", measure("erasure").how(facts)),
        (
            "Rectification (Art. 16)",
            "What a customer has written is not changed; “Start over” wipes a conversation at once, and a"
            " ticket can be taken back and asked anew.",
        ),
        (
            "Restriction (Art. 18)",
            Gap(
                text="how data is kept from use while somebody contests it; a legal hold keeps it from being"
                " erased, and not from being used"
            ),
        ),
        ("Objection, automated decisions (Art. 21, 22)", measure("human").how(facts)),
        (
            "Processors and transfers (Art. 28, 44)",
            "See “Recipients”, “Transfers to third countries” and the processor annex.",
        ),
        ("Privacy by design and by default (Art. 25)", measure("policy").how(facts)),
    )
    return Section(
        id="dpia-necessity",
        title="Necessity and proportionality (Art. 35(7)(b))",
        blocks=(Table(caption="Necessity and proportionality", columns=_TWO, widths=_TWO_WIDTHS, rows=rows),),
    )


def _risks(facts: Facts) -> Section:
    columns = ("Risk", "Harm", "Before", "Measures", "After")
    return Section(
        id="dpia-risks",
        title="Risks and measures (Art. 35(7)(c) and (d))",
        blocks=(
            Paragraph(
                text="“Before” is without the measures, “after” with them as they are at this site:"
                " likelihood, then severity for the person concerned. The levels are proposed by the maker;"
                " the controller changes them where the place asks for it."
            ),
            Table(
                caption="Risks to people",
                columns=columns,
                widths=(23, 24, 11, 31, 11),
                rows=tuple(_row(facts, risk) for risk in RISKS),
            ),
            Gap(text="risks of this place that the list does not have"),
        ),
    )


def _row(facts: Facts, risk: Risk) -> tuple[Cell, ...]:
    told = "\n".join(measure(name).title for name in risk.measures)
    return (risk.title, risk.harm, _level(risk.before), told, _level(risk.after(facts)))


def _level(graded: Graded) -> str:
    return f"{graded.likelihood} / {graded.severity}"


def _what_remains(facts: Facts) -> Section:
    return Section(
        id="dpia-residual",
        title="What remains",
        blocks=(
            Listing(items=tuple(residual(facts))),
            *_rates(facts),
            Gap(
                text="whether what remains is accepted, by whom, on which day; else prior consultation (Art."
                " 36)"
            ),
        ),
    )


def _rates(facts: Facts) -> tuple[Block, ...]:
    if not facts.languages:
        return ()
    rows = tuple(_rate(language) for language in facts.languages)
    table = Table(
        caption="What the detector misses",
        columns=("Language", "Names", "Addresses", "All the rest"),
        widths=(19, 27, 27, 27),
        rows=rows,
    )
    note = Paragraph(
        text=f"Measured {facts.measured_on or 'on a day that is not known'} on sentences marked by hand that"
        " nothing was trained on. In brackets the upper end of the 95 % interval: few samples count as a"
        " high rate. A language that is not in the table was not measured, and no text in it is handed on."
    )
    return (table, note)


def _rate(language: LanguageFacts) -> tuple[str, ...]:
    told = {
        one.group: f"{one.missed / one.of:.0%} of {number(one.of)} missed (at most {one.at_most:.0%})"
        for one in language.missed
    }
    groups = ("names", "addresses", "all the rest")
    return (f"{language.name} ({language.code})", *(told.get(group, "with the rest") for group in groups))


def _consultation() -> Section:
    rows: tuple[tuple[Cell, ...], ...] = (
        (
            "Advice of the data protection officer (Art. 35(2), 39(1)(c))",
            Gap(text="advice, date, and what followed from it"),
        ),
        (
            "Views of data subjects or their representatives (Art. 35(9))",
            Gap(text="who was heard, or why nobody was"),
        ),
        ("Works council or staff representation", Gap(text="result, where one has a say")),
        ("Information security officer", Gap(text="statement, date")),
        (
            "Prior consultation of the supervisory authority (Art. 36)",
            Gap(text="needed or not, with the reason"),
        ),
        (
            "Review (Art. 35(11))",
            Gap(
                text="next day of review, and what brings it forward: new purposes, new servers, another"
                " policy, another version"
            ),
        ),
        ("Approval", Gap(text="name, function, date, signature")),
    )
    return Section(
        id="dpia-consultation",
        title="Consultation, approval and review",
        blocks=(Table(caption="Consultation", columns=("Who", "Result"), widths=_TWO_WIDTHS, rows=rows),),
    )
