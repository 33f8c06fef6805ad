"""What turns the last layer's vectors into a language model's logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Readout:
    """The way from the residual stream to the logits: a norm, a transform, and a linear map.

    Attributes:
        norm: the norm after the last layer; None where the layers normalise themselves (BERT, BART, Marian).
        transform: what comes between: the dense layer of a masked language head, a scale (T5), mostly nothing.
        weight: the unembedding, shape (vocabulary, features).
        bias: shape (vocabulary,), or None.
    """

    norm: "Callable[[torch.Tensor], torch.Tensor] | None"
    transform: "Callable[[torch.Tensor], torch.Tensor]"
    weight: "torch.Tensor"
    bias: "torch.Tensor | None"

    def logits(self, residual: "torch.Tensor") -> "torch.Tensor":
        """Return the logits, shape (…, vocabulary), of vectors of the residual stream, shape (…, features).

        Of the last layer's they are the model's own. ``hidden_states[-1]`` of transformers has the norm already: don't
        give that.
        """
        import torch

        return torch.nn.functional.linear(self.transform(self.normed(residual)), self.weight, self.bias)

    def normed(self, residual: "torch.Tensor") -> "torch.Tensor":
        """Return vectors of the residual stream after the final norm, where there is one."""
        return residual if self.norm is None else self.norm(residual)


def readout(model: Any) -> Readout:
    """Return how a model with a language head reads its last layer (of an encoder-decoder, the decoder's).

    Raises:
        InputError: it has no language head.
        OptionError: it is of a kind whose parts are not known here.
    """
    from lmcore.models.components import components

    linear = model.get_output_embeddings()
    if linear is None:
        raise InputError(
            f"A {type(model).__name__} has no language head: load the model for text-generation or completion."
        )
    ends = [part for part in components(model, "normed") if part.stack != "encoder"]
    norm = model.get_submodule(ends[0].path) if ends else None
    return Readout(norm, _transform(model), linear.weight, _bias(model, linear))


def _transform(model: Any) -> "Callable[[torch.Tensor], torch.Tensor]":
    """Return what a head does before its linear map."""
    if hasattr(model, "cls"):  # BERT
        found: Callable[[torch.Tensor], torch.Tensor] = model.cls.predictions.transform
        return found
    if hasattr(model, "generator_predictions"):  # ELECTRA
        return lambda states: model.generator_predictions(states)
    if hasattr(model, "vocab_transform"):  # DistilBERT
        return lambda states: model.vocab_layer_norm(model.activation(model.vocab_transform(states)))
    head: Any = getattr(model, "lm_head", None)
    if hasattr(head, "dense"):  # RoBERTa

        def dense(states: "torch.Tensor") -> "torch.Tensor":
            import torch

            normed: torch.Tensor = head.layer_norm(torch.nn.functional.gelu(head.dense(states)))
            return normed

        return dense
    scale = float(model.config.d_model) ** -0.5 if getattr(model.config, "scale_decoder_outputs", False) else 1.0
    return (lambda states: states * scale) if scale != 1.0 else (lambda states: states)


def _bias(model: Any, linear: Any) -> "torch.Tensor | None":
    """Return what is added to the logits: the linear map's bias, or an encoder-decoder's own."""
    own: torch.Tensor | None = getattr(model, "final_logits_bias", None)
    bias: torch.Tensor | None = linear.bias
    return bias if own is None else own[0] if bias is None else bias + own[0]
