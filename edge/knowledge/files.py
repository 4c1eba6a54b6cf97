"""Which files an `add` means: those named, and those of folders, with what is refused before it is opened.

A document's id is its file's path below the added folder. Hidden files are passed over; a link that leads out of the
folder is refused, since whoever may write there may not thereby choose what else of the machine is read. No file is
opened here.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ExitCode, PosternError
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

# Files of one `add` at most: several times the largest site that was thought of. Their names are held in memory.
FILES_MAX = 50_000
# Longest id of a document, code points: it stands in lists, addresses and citations.
NAME_CHARS_MAX = 300
# Unicode's controls, surrogates (bytes of a name that are no UTF-8) and separators of lines.
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}


class TooManyFiles(PosternError):
    """A folder with more files than one `add` takes; nothing of it was added."""

    code = "too_many_files"
    title = "There are too many files"
    remedy = "Add the subfolders one after the other, and check that it is the right folder."
    status = 422
    exit_code = ExitCode.FAILED


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read. `folder` is the added folder that it was found in, empty for a file that was named itself."""

    name: str
    path: Path
    folder: str = ""


@dataclass
class Found:
    """What is meant: files by name, refusals (name, reason), and every name that was seen in each folder.

    `folders` holds None for a folder that could not be looked through to its end.
    """

    files: dict[str, FoundFile] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    folders: dict[str, set[str] | None] = field(default_factory=dict)


def find_files(paths: Sequence[Path]) -> Found:
    """Every file that is meant, by name, in order. A second file with a name that is taken is refused.

    Raises TooManyFiles.
    """
    found = Found()
    for path in paths:
        if path.is_dir():
            _find_in(path.resolve(), found)
        else:
            _take(FoundFile(path.name, path.resolve()), found)
    found.files = dict(sorted(found.files.items()))
    return found


def uploaded_name(name: str) -> str:
    """The id of a document that came in through a browser: the last part of the name that it had there.

    Raises UnreadableDocument.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not last or last.startswith(".") or not _is_text(last) or len(last) > NAME_CHARS_MAX:
        raise UnreadableDocument(Refusal.BAD_NAME, "The file's name cannot be a document's name.")
    return last


def _find_in(root: Path, found: Found) -> None:
    names = found.folders.setdefault(str(root), set())
    for path in _walk(root, found):
        name = path.relative_to(root).as_posix()
        if names is not None:
            names.add(name)
        refusal = _refusal(name, path, root)
        if refusal:
            found.refused.append((_shown(name), refusal.reason))
        elif not path.is_dir():  # a link to a folder further down, whose files are found there
            _take(FoundFile(name, path.resolve(), str(root)), found)


def _take(file: FoundFile, found: Found) -> None:
    taken = found.files.setdefault(file.name, file)
    if taken.path.resolve() != file.path.resolve():
        found.refused.append(
            (file.name, f"{taken.path} has the same name within its folder. Add them one by one, renamed.")
        )
    if len(found.files) > FILES_MAX:
        raise TooManyFiles(f"There are more than {FILES_MAX:,} files, which is the most.")


def _walk(root: Path, found: Found) -> Iterator[Path]:
    """Everything below a folder that is not hidden: files, and links to folders, which are not followed."""

    def cannot(error: OSError) -> None:
        found.folders[str(root)] = None
        name = os.path.relpath(error.filename, root)
        refusal = UnreadableDocument(Refusal.UNREADABLE, f"The folder cannot be opened ({error.strerror}).")
        found.refused.append((_shown(name), refusal.reason))

    for folder, folders, files in os.walk(root, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            if not name.startswith("."):
                yield Path(folder, name)


def _refusal(name: str, path: Path, root: Path) -> UnreadableDocument | None:
    """Why a file is not even opened, or None."""
    if not _is_text(name):
        return UnreadableDocument(Refusal.BAD_NAME, "The file's name holds characters that are no text.")
    if len(name) > NAME_CHARS_MAX:
        return UnreadableDocument(
            Refusal.BAD_NAME, f"The file's name has more than {NAME_CHARS_MAX} characters."
        )
    if not path.resolve().is_relative_to(root):
        return UnreadableDocument(Refusal.OUTSIDE, "This is a link to somewhere outside the folder.")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return UnreadableDocument(Refusal.UNREADABLE, f"The file cannot be opened ({error.strerror}).")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return UnreadableDocument(Refusal.UNREADABLE, "This is no file, but a pipe or a device.")
    return None


def _is_text(name: str) -> bool:
    """Whether a name can be shown and stored: no control characters, line breaks or stray bytes."""
    return not any(unicodedata.category(character) in _NO_TEXT for character in name)


def _shown(name: str) -> str:
    """A name with what cannot be shown replaced, cut to its limit."""
    shown = ("\ufffd" if unicodedata.category(character) in _NO_TEXT else character for character in name)
    return "".join(shown)[:NAME_CHARS_MAX]
