"""The model that a version was trained from, to see what training changed."""

from lmcore.errors import InputError
from lmcore.models.registry import ModelRegistry, ModelVersion
from lmcore.types import ModelRef


def trained_from(version: ModelVersion, registry: ModelRegistry) -> ModelRef:
    """Return the model whose weights a version began with when it was trained.

    A version that was calibrated or compressed afterwards names what it was trained from before.

    Args:
        version: a registered version.
        registry: where it is registered.

    Raises:
        InputError: that is not known, is gone, or began with random weights, which are not kept.
    """
    base = str(version.facts.get("base", ""))
    if not base:
        raise InputError(f"What {version.ref} was trained from is not known: name the model to compare it with.")
    if base.startswith("config:"):
        raise InputError(
            f"{version.ref} began as {base} with random weights, which are not kept: name another model to compare it with."
        )
    if not base.startswith("models:/"):
        return ModelRef.parse(base)
    known = registry.get(base)
    if known.ref == version.ref:
        raise InputError(
            f"{version.ref} was trained from {base}, an alias that is its own by now: name the version that it was."
        )
    if not known.available:
        raise InputError(f"{version.ref} was trained from {known.ref}, whose files are gone: name another model.")
    return known.ref
