"""What can be wrong with a one-time code, a signing request or a certificate."""

from __future__ import annotations

from core.errors import ExitCode, PosternError


class InvalidCode(PosternError):
    """The one-time code cannot be read."""

    code = "invalid_code"
    title = "The one-time code cannot be read"
    remedy = "Type the code again as it was shown: eight groups of four letters and digits."
    status = 400
    exit_code = ExitCode.USAGE


class InvalidSigningRequest(PosternError):
    """The signing request is not one that the control plane may sign."""

    code = "invalid_signing_request"
    title = "The signing request cannot be accepted"
    remedy = "Update the node's software and enrol again with a new code."
    status = 400


class InvalidCertificate(PosternError):
    """A certificate or key cannot be read, or does not belong to a node."""

    code = "invalid_certificate"
    title = "The certificate cannot be used"
    remedy = "Enrol the node again with a new one-time code."
    status = 401


class InvalidNodeId(PosternError):
    """A node's identifier has characters or a length that are not allowed."""

    code = "invalid_node_id"
    title = "The node's identifier is not valid"
    remedy = "Use 3 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit."
    status = 400
    exit_code = ExitCode.USAGE
