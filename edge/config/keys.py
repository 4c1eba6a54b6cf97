"""Where the site's root key lies."""

from __future__ import annotations

from pydantic import Field

from edge.config.section import Section


class KeysSection(Section):
    """The machine's TPM."""

    # Address of the TPM for the tpm2-tools ("device:/dev/tpmrm0"). Empty: the machine's, if it has one. "none": a file.
    tpm_tcti: str = Field(default="", max_length=200, pattern=r"^[ -~]*$")
