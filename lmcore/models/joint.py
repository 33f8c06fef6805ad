"""One encoder with two heads: a tag for each token, and an intent for the whole text (after JointBERT, Chen et al. 2019).

It is saved and loaded like any transformers model, so that serving runs exactly what was trained.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from lmcore.models.encode import IGNORED
from lmcore.models.pooled import mean_pool
from lmcore.models.structure import restructure, shaped


class JointConfig(PreTrainedConfig):  # type: ignore[misc]
    """Configuration of `JointTagger`: the encoder's own, and how many of the labels, the last ones, are intents."""

    model_type = "lmscope-joint-tagger"

    def __init__(self, encoder: dict[str, Any] | None = None, intents: int = 1, **rest: Any) -> None:
        super().__init__(**rest)
        self.encoder = encoder or {}
        self.intents = intents

    def encoder_config(self) -> Any:
        """Return the encoder's configuration as its own class."""
        values = dict(self.encoder)
        return AutoConfig.for_model(values.pop("model_type"), **values)


@dataclass
class JointOutput(ModelOutput):  # type: ignore[misc]
    """What `JointTagger` returns.

    Attributes:
        loss: the sum of both heads' cross-entropies, in nats.
        logits: of the tags, shape (batch, tokens, tags).
        intent_logits: shape (batch, intents).
        hidden_states: of the encoder, where asked for.
        attentions: of the encoder, where asked for.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    intent_logits: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


class JointTagger(PreTrainedModel):  # type: ignore[misc]
    """Encoder, a linear classifier of each token, and one of the mean token vector."""

    config_class = JointConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: JointConfig) -> None:
        super().__init__(config)
        inner = config.encoder_config()
        self.encoder = AutoModel.from_config(inner)
        restructure(self.encoder)
        self.dropout = nn.Dropout(getattr(inner, "hidden_dropout_prob", 0.1))
        self.tagger = nn.Linear(inner.hidden_size, config.num_labels - config.intents)
        self.classifier = nn.Linear(inner.hidden_size, config.intents)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        intent_labels: torch.Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        **rest: Any,
    ) -> JointOutput:
        """Return the logits of both heads, and with ``labels`` and ``intent_labels`` (-100: not to be learnt) the loss."""
        out = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        read = out.last_hidden_state
        if attention_mask is None:
            attention_mask = torch.ones(read.shape[:2], dtype=torch.long, device=read.device)
        tags = self.tagger(self.dropout(read))
        intents = self.classifier(self.dropout(mean_pool(read, attention_mask)))
        loss = None
        if labels is not None and intent_labels is not None:
            loss = _mean_loss(tags, labels) + _mean_loss(intents, intent_labels)
        return JointOutput(
            loss=loss, logits=tags, intent_logits=intents, hidden_states=out.hidden_states, attentions=out.attentions
        )

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


class AutoJointTagger:
    """What a transformers auto class is for its heads: makes a `JointTagger` of a configuration or of a saved model."""

    @staticmethod
    def from_config(config: Any) -> JointTagger:
        """Return a model with random weights on an encoder's configuration that names the labels and ``intents``."""
        return JointTagger(_joint_config(config, config.id2label, getattr(config, "intents", 1)))

    @staticmethod
    def from_pretrained(
        folder: str | Path,
        *,
        id2label: dict[int, str] | None = None,
        label2id: dict[str, int] | None = None,
        intents: int = 1,
        output_loading_info: bool = False,
        ignore_mismatched_sizes: bool = False,
        **options: Any,
    ) -> Any:
        """Return a saved model as it is, or, with ``id2label``, any saved encoder with two new heads.

        Args:
            folder: holds the model.
            id2label: the labels, tags first.
            label2id: the same the other way round; not needed.
            intents: how many of the labels, the last ones, are intents.
            output_loading_info: return what was missing too, as transformers does: the heads of an encoder without.
            ignore_mismatched_sizes: taken for the sake of likeness; new heads replace old ones.
            **options: passed on to transformers.
        """
        saved = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if id2label is None and isinstance(saved, JointConfig):
            return JointTagger.from_pretrained(folder, output_loading_info=output_loading_info, **options)
        base = shaped(AutoModel, folder).from_pretrained(folder, **options).base_model
        model = JointTagger(_joint_config(base.config, id2label or saved.id2label, intents))
        model.encoder.load_state_dict(base.state_dict())
        missing = {"tagger.weight", "classifier.weight"}
        return (model.eval(), {"missing_keys": missing}) if output_loading_info else model.eval()


def register() -> None:
    """Make transformers' auto classes know this model; harmless when called again."""
    AutoConfig.register(JointConfig.model_type, JointConfig, exist_ok=True)
    AutoModel.register(JointConfig, JointTagger, exist_ok=True)


def _joint_config(inner: Any, labels: dict[int, str], intents: int) -> JointConfig:
    named = ("_name_or_path", "id2label", "label2id", "intents", "architectures")
    return JointConfig(
        encoder={key: value for key, value in inner.to_dict().items() if key not in named},
        intents=intents,
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
    )


def _mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy over what is to be learnt; 0 where nothing is."""
    total = nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)
