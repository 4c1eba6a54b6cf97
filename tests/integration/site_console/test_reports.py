"""The data protection report on the site's console: in short, and as a file for the data-protection officer alone."""

from __future__ import annotations

import io
import re

from lxml import html as parser
from pypdf import PdfReader

from edge.store.operators import Role
from tests.integration.site_console.rig import Rig, Staff


async def taken(staff: Staff, ending: str) -> tuple[bytes, str, str]:
    async with staff.http.get(f"{staff.url}/reports/{ending}") as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.read(), answer.content_type, answer.headers["Content-Disposition"]


async def test_what_is_to_be_completed_is_told_part_by_part(rig: Rig) -> None:
    officer = await rig.operator("dora", Role.DATA_PROTECTION)
    status, page = await officer.get("/reports")
    assert status == 200
    rows = parser.document_fromstring(page).xpath("//table")[0].xpath(".//tbody/tr")
    counts = {row.xpath("./th")[0].text: row.xpath("./td")[0].text for row in rows}
    assert int(counts["Record of processing activities (GDPR Art. 30)"]) > 10
    assert counts["Annex: evidence"] == "–"
    (command,) = parser.document_fromstring(page).xpath("//*[@id='weekly-command']/text()")
    assert "postern ledger export --out" in command
    assert re.search("--week [0-9]{4}-W[0-9]{2} ", command)


async def test_the_report_is_taken_as_a_file_and_that_is_a_row(rig: Rig) -> None:
    officer = await rig.operator("dora", Role.DATA_PROTECTION)
    page, kind, disposition = await taken(officer, "html")
    assert (kind, disposition) == ("text/html", 'attachment; filename="data-protection-report.html"')
    assert parser.document_fromstring(page).findtext(".//h1") == "Data protection report"
    pages, kind, disposition = await taken(officer, "pdf")
    assert (kind, disposition) == ("application/pdf", 'attachment; filename="data-protection-report.pdf"')
    assert len(PdfReader(io.BytesIO(pages)).pages) > 10
    audited = await rig.audited(action="reports")
    assert [row[:2] for row in audited] == [("dora", "reports.html"), ("dora", "reports.pdf")]


async def test_it_is_for_the_data_protection_officer_alone(rig: Rig) -> None:
    for role in (Role.DESK, Role.TECHNICIAN):
        other = await rig.operator(role.value, role)
        for path in ("/reports", "/reports/html", "/reports/pdf"):
            assert (await other.get(path))[0] == 403
