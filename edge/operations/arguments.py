"""The arguments of operations: frozen models, checked on the way in."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from core.errors import ExitCode, PosternError
from edge.web.admin import Arguments

_WORDS: Final = {
    "missing": "is missing",
    "string_too_short": "needs {min_length} or more characters",
    "string_too_long": "may have at most {max_length} characters",
}
"""What is wrong with an argument, for whoever typed it; of all else pydantic's own words."""

M = TypeVar("M", bound=BaseModel)


class BadArguments(PosternError):
    """An operation was called with arguments that it does not take."""

    code = "bad_arguments"
    title = "The command's arguments do not fit"
    remedy = "See the command's --help."
    status = 400
    exit_code = ExitCode.USAGE


class OperationArguments(BaseModel):
    """Base of an operation's arguments: nothing unknown, nothing changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_arguments(model: type[M], arguments: Arguments) -> M:
    """The arguments as `model`, without repeating what was given. Raises BadArguments."""
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        raise BadArguments("; ".join(_said(item) for item in error.errors())) from None


def _said(item: ErrorDetails) -> str:
    """One finding, as "state: Input should be …"; of the arguments together, only what is wrong."""
    where = ".".join(map(str, item["loc"]))
    said = _WORDS.get(item["type"], "")
    what = said.format(**item.get("ctx", {})) if said else item["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
