"""What a compression is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lmcore.errors import OptionError
from lmcore.methods import option, options_of
from lmcore.types import ModelRef


@dataclass(frozen=True, slots=True)
class CompressConfig:
    """A compression: which registered version, how, and every setting that changes its outcome.

    The fields made with `option` are the form of the Train page and the flags of ``lmcore compress``.
    """

    version: str
    method: str = "heads"
    share: float = option(
        0.3,
        "Share to take out: of each layer's heads, of the layers, or of the weights; 0 to 1.",
        minimum=0,
        maximum=0.99,
        methods=("heads", "layers", "magnitude"),
    )
    score: str = option(
        "influence",
        "By what a layer is judged: influence (1 less the cosine between what goes in and what comes out; one pass) or loss "
        "(the loss on dev without it; one pass a layer).",
        choices=("influence", "loss"),
        methods=("layers",),
    )
    scope: str = option(
        "model",
        "Whether the smallest weights are taken of the whole model or of each matrix.",
        choices=("model", "matrix"),
        methods=("magnitude",),
    )
    rows: int = option(
        256, "Dev rows, at most, on which heads or layers are judged.", minimum=1, methods=("heads", "layers")
    )
    precision: str = option(
        "float32", "Of the export: float32, or int8 weights.", choices=("float32", "int8"), methods=("onnx",)
    )

    def checked(self) -> "CompressConfig":
        """Return the configuration with every value checked and in its type.

        Raises:
            OptionError: a value is out of range; UnknownError: no such method; InputError: the version's text is malformed.
        """
        from lmcore.training.compression.methods import COMPRESSION

        COMPRESSION[self.method]
        ref = ModelRef.parse(self.version)
        return replace(
            self, version=str(ref), **{o.name: o.check(getattr(self, o.name)) for o in options_of(CompressConfig)}
        )

    def options(self) -> dict[str, Any]:
        """Return the settings that the method reads."""
        return {item.name: getattr(self, item.name) for item in options_of(CompressConfig, self.method)}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CompressConfig":
        """Read what `to_dict` wrote.

        Raises:
            OptionError: there is no such setting, or the version is missing.
        """
        known = {item.name for item in fields(cls)}
        for name in values:
            if name not in known:
                raise OptionError(f"Compression has no setting {name!r}; it has: {', '.join(sorted(known))}.")
        if not values.get("version"):
            raise OptionError("No version is named: give a registered one, such as models:/feedback-en/1.")
        return cls(**values).checked()
