"""A classifier on the mean of one layer's token vectors, as one transformers model.

The method `head` trains this. It is saved and loaded like any transformers model, so that analysis and serving run
exactly what was trained.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from lmcore.models.structure import restructure

_TOLERANCE = 1e-4


class MeanPoolConfig(PreTrainedConfig):  # type: ignore[misc]
    """Configuration of `MeanPoolClassifier`: the encoder's own configuration and the layer that is read."""

    model_type = "lmscope-mean-pool"

    def __init__(self, encoder: dict[str, Any] | None = None, layer: int = 0, cut: bool = True, **rest: Any) -> None:
        super().__init__(**rest)
        self.encoder = encoder or {}
        self.layer = layer
        self.cut = cut

    def encoder_config(self) -> Any:
        """Return the encoder's configuration as its own class."""
        values = dict(self.encoder)
        return AutoConfig.for_model(values.pop("model_type"), **values)


class MeanPoolClassifier(PreTrainedModel):  # type: ignore[misc]
    """Encoder, mean over the unmasked tokens of one layer, linear classifier."""

    config_class = MeanPoolConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: MeanPoolConfig) -> None:
        super().__init__(config)
        inner = config.encoder_config()
        self.encoder = AutoModel.from_config(inner)
        restructure(self.encoder)
        self.classifier = nn.Linear(inner.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        **rest: Any,
    ) -> SequenceClassifierOutput:
        """Return logits (batch, classes), and the encoder's `hidden_states` and `attentions` where asked for."""
        reads_last = self.config.cut and self.config.layer > 0
        pair = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        out = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states or not reads_last,
            output_attentions=output_attentions,
            **pair,
        )
        read = out.last_hidden_state if reads_last else out.hidden_states[self.config.layer]
        if attention_mask is None:
            attention_mask = torch.ones(read.shape[:2], dtype=torch.long, device=read.device)
        logits = self.classifier(mean_pool(read, attention_mask))
        loss = self._loss(logits, labels) if labels is not None else None
        hidden = (out.hidden_states or (read,)) if output_hidden_states else None
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=hidden, attentions=out.attentions)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.config.problem_type == "multi_label_classification":
            return nn.functional.binary_cross_entropy_with_logits(logits, labels)
        return nn.functional.cross_entropy(logits, labels)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


def mean_pool(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Average token vectors (batch, tokens, features) over the unmasked tokens; returns (batch, features)."""
    weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def build_classifier(
    encoder: Any, layer: int, weight: np.ndarray, bias: np.ndarray, labels: Sequence[str], sample: dict[str, Any]
) -> MeanPoolClassifier:
    """Join an encoder, the layer to read and a trained linear classifier into one model.

    Layers above the one that is read (but never the first) are cut off, where a check on ``sample`` shows that this
    changes nothing (an encoder with a final norm keeps them all).

    Args:
        encoder: a transformers base model.
        layer: 0 for the embeddings, up to its number of layers.
        weight: float of shape (classes, features).
        bias: float of shape (classes,).
        labels: class names.
        sample: a padded batch for the check.
    """
    cut = _assemble(encoder, layer, weight, bias, labels, cut=True)
    with torch.inference_mode():
        state = encoder(**sample, output_hidden_states=True).hidden_states[layer]
        wanted = cut.classifier(mean_pool(state, sample["attention_mask"]).float())
        gap = (cut(**sample).logits - wanted).abs().max().item()
    return cut if gap <= _TOLERANCE else _assemble(encoder, layer, weight, bias, labels, cut=False)


def register() -> None:
    """Make transformers' auto classes know this model; harmless when called again.

    As a base model it is loaded whole too; its encoder is then its `base_model`.
    """
    AutoConfig.register(MeanPoolConfig.model_type, MeanPoolConfig, exist_ok=True)
    AutoModel.register(MeanPoolConfig, MeanPoolClassifier, exist_ok=True)
    AutoModelForSequenceClassification.register(MeanPoolConfig, MeanPoolClassifier, exist_ok=True)


def _assemble(
    encoder: Any, layer: int, weight: np.ndarray, bias: np.ndarray, labels: Sequence[str], *, cut: bool
) -> MeanPoolClassifier:
    inner = copy.deepcopy(encoder.config)
    if cut:
        inner.num_hidden_layers = max(layer, 1)  # many encoders cannot be without any layer
        if getattr(inner, "layer_types", None):
            inner.layer_types = inner.layer_types[: inner.num_hidden_layers]
    config = MeanPoolConfig(
        encoder={key: value for key, value in inner.to_dict().items() if key != "_name_or_path"},
        layer=layer,
        cut=cut,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = MeanPoolClassifier(config)
    kept = model.encoder.state_dict().keys()
    model.encoder.load_state_dict({k: v.cpu() for k, v in encoder.state_dict().items() if k in kept})
    model.classifier.load_state_dict(
        {"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()}
    )
    model.eval()
    return model
