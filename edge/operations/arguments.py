"""The arguments of operations: frozen models, checked on the way in."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ExitCode, PosternError
from core.faults import in_words
from edge.web.admin import Arguments

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
        raise BadArguments("; ".join(map(in_words, error.errors()))) from None
