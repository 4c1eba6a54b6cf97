"""Erasing people, legal holds, and receipts, for the command line and the console: plain JSON in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Final

from pydantic import Field

from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.subjects import Actor, Subject
from edge.privacy import receipts
from edge.privacy.erasure import Erased, Erasure
from edge.store.store import Store
from edge.store.subjects import label_of
from edge.web.admin import Arguments, OnProgress, Operation

REFERENCE_CHARS_MAX: Final = 100


class SubjectArguments(OperationArguments):
    """`postern privacy erase|release`; `actor` is who acts."""

    subject: Subject
    actor: Actor


class HoldArguments(SubjectArguments):
    """`postern privacy hold`. `reference`: the case, by its number; no text about the person."""

    reference: Annotated[str, Field(min_length=1, max_length=REFERENCE_CHARS_MAX)]


class NoArguments(OperationArguments):
    """`postern privacy holds|erasures`."""


class ReceiptArguments(OperationArguments):
    """`postern privacy receipt verify`. `subject`: whether it is this person's."""

    receipt: dict[str, object]
    subject: Subject | None = None


class ErasureOperations:
    """The operations, by name."""

    def __init__(self, erasure: Erasure, store: Store) -> None:
        self._erasure = erasure
        self._store = store

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "privacy.erase": self.erase,
            "privacy.hold": self.hold,
            "privacy.release": self.release,
            "privacy.holds": self.holds,
            "privacy.erasures": self.erasures,
            "privacy.verify-receipt": self.verify_receipt,
        }

    async def erase(self, arguments: Arguments, _: OnProgress) -> object:
        """Forget somebody, for good; the receipt."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._erasure.erase(wanted.subject, wanted.actor)

    async def hold(self, arguments: Arguments, _: OnProgress) -> object:
        """Somebody's data must stay."""
        wanted = read_arguments(HoldArguments, arguments)
        return asdict(await self._erasure.hold(wanted.subject, wanted.reference.strip(), wanted.actor))

    async def release(self, arguments: Arguments, _: OnProgress) -> object:
        """It need not any more; with the receipt of an erasure that waited for that."""
        wanted = read_arguments(SubjectArguments, arguments)
        released = await self._erasure.release(wanted.subject, wanted.actor)
        return {**asdict(released.hold), "receipt": released.receipt}

    async def holds(self, arguments: Arguments, _: OnProgress) -> object:
        """All holds, oldest first."""
        read_arguments(NoArguments, arguments)
        return [asdict(hold) for hold in await self._erasure.holds()]

    async def erasures(self, arguments: Arguments, _: OnProgress) -> object:
        """The list of erasures, newest first."""
        read_arguments(NoArguments, arguments)
        return [_told(erased) for erased in await self._erasure.erasures()]

    async def verify_receipt(self, arguments: Arguments, _: OnProgress) -> object:
        """Is it genuine, and this site's; and is it that person's. Raises ReceiptInvalid."""
        wanted = read_arguments(ReceiptArguments, arguments)
        receipts.verify(receipts.Kind.ERASURE, wanted.receipt, self._store.keys.receipts.public_key())
        whose = None if wanted.subject is None else self._is_of(wanted.receipt, wanted.subject)
        return {"genuine": True, "theirs": whose, "receipt": wanted.receipt}

    def _is_of(self, receipt: Mapping[str, object], subject: str) -> bool:
        return receipt.get("subject") == self._store.digests.of(subject).hex()


def _told(erased: Erased) -> dict[str, object]:
    return {
        "label": label_of(erased.digest),
        "erased_ms": erased.erased_ms,
        "done": erased.receipt is not None,
        "receipt": erased.receipt,
    }
