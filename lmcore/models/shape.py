"""The size of a model from a configuration."""

from dataclasses import dataclass

from lmcore.errors import OptionError


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is; what is None is as the configuration has it.

    Attributes:
        layers: number of layers (of the encoder and of the decoder each, where there are both).
        width: features of a token vector.
        heads: attention heads of a layer.
        vocabulary: the largest number of tokens that the tokenizer learns.
    """

    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    vocabulary: int | None = None

    def filled(self, *, layers: int, width: int, heads: int) -> dict[str, int]:
        """Return layers, width and heads with a configuration's own values where nothing else was asked for.

        Raises:
            OptionError: the width does not divide into heads of an even number of features.
        """
        layers, width, heads = self.layers or layers, self.width or width, self.heads or heads
        if width % (2 * heads):
            raise OptionError(
                f"A width of {width} does not divide into {heads} heads of an even number of features: take a multiple of "
                f"{2 * heads}, such as {max(1, round(width / (2 * heads))) * 2 * heads}."
            )
        return {"layers": layers, "width": width, "heads": heads}
