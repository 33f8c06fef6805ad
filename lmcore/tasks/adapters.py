"""How a text is written from a text, by the architecture of the model: an encoder-decoder, or a decoder with a template."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import InputError

if TYPE_CHECKING:
    from lmcore.models.encode import Encodings


@dataclass(frozen=True, slots=True)
class Template:
    """What stands around a text that a decoder goes on from.

    Attributes:
        before: before the text.
        after: after it; what is to be written follows.
        room: share of the longest input that is kept for what is written, 0 to 1.
    """

    before: str
    after: str
    room: float = 0.5


class Adapter(ABC):
    """One way of writing a text from a text."""

    @abstractmethod
    def encode(
        self, tokenizer: Any, sources: Sequence[str], targets: Sequence[str] | None, max_length: int, template: Template
    ) -> "Encodings":
        """Turn texts into token ids.

        Args:
            tokenizer: a transformers tokenizer of the fast kind.
            sources: what is read.
            targets: what is to be written; None where the model is to write it.
            max_length: the most tokens that the model takes.
            template: what stands around a source for a decoder.

        Returns:
            One window a source, with ``labels`` where there are targets; which sources and which targets were cut is
            told apart.
        """


class EncoderDecoder(Adapter):
    """The source is the encoder's input, the target the decoder's output; each may take the whole length."""

    def encode(
        self, tokenizer: Any, sources: Sequence[str], targets: Sequence[str] | None, max_length: int, template: Template
    ) -> "Encodings":
        """Encode sources, and targets as labels; the template is not needed."""
        from dataclasses import replace

        from lmcore.models.encode import encode_texts

        read = encode_texts(tokenizer, sources, max_length)
        if targets is None:
            return read
        whole = tokenizer(text_target=list(targets), verbose=False)["input_ids"] if targets else []
        labels = [_cut(row, max_length) for row in whole]
        cut = np.array([len(row) > max_length for row in whole], dtype=bool)
        return replace(read, fields={"labels": labels}, cut_outputs=cut)


class PromptedDecoder(Adapter):
    """The source stands in a template and the target follows it; only the target's tokens are learnt.

    A part of the length is kept for the target, so that a source is cut alike in training and when the model writes.
    """

    def encode(
        self, tokenizer: Any, sources: Sequence[str], targets: Sequence[str] | None, max_length: int, template: Template
    ) -> "Encodings":
        """Encode prompts, and the targets after them; the prompt's labels are ignored by the loss.

        Raises:
            InputError: the template alone leaves no room for a source.
        """
        from lmcore.models.encode import IGNORED, counted

        before, after = (_plain(tokenizer, [part])[0] for part in (template.before, template.after))
        before = [*_opening(tokenizer), *before]
        room = max_length - len(before) - len(after) - max(2, round(template.room * max_length))
        if room < 1:
            raise InputError(
                f"The longest text is {max_length} tokens, which the template alone fills: give at least "
                f"{round((len(before) + len(after) + 8) / (1 - template.room))}."
            )
        read = _plain(tokenizer, sources)
        prompts = [[*before, *row[:room], *after] for row in read]
        truncated = np.array([len(row) > room for row in read], dtype=bool)
        if targets is None:
            return counted(tokenizer, prompts, truncated=truncated)
        end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        written = [[*row, *end] for row in _plain(tokenizer, targets)]
        kept = [row[: max_length - len(prompt)] for row, prompt in zip(written, prompts, strict=True)]
        return counted(
            tokenizer,
            [prompt + row for prompt, row in zip(prompts, kept, strict=True)],
            truncated=truncated,
            fields={"labels": [[IGNORED] * len(p) + row for p, row in zip(prompts, kept, strict=True)]},
            cut_outputs=np.array([len(w) > len(k) for w, k in zip(written, kept, strict=True)], dtype=bool),
        )


def adapter_for(config: Any) -> Adapter:
    """Return the adapter of a model's configuration.

    Raises:
        InputError: models of its kind read and do not write.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if config.is_encoder_decoder:
        return EncoderDecoder()
    kind = str(config.model_type)
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return PromptedDecoder()
    raise InputError(f"A {kind} model reads and does not write: choose an encoder-decoder or a decoder.")


class WritingModel:
    """Stands for a transformers auto class, and takes the one that fits the model's architecture."""

    @staticmethod
    def from_config(config: Any) -> Any:
        """Return a new model of a configuration.

        Raises:
            InputError: models of its kind read and do not write.
        """
        return _auto_class(config).from_config(config)

    @staticmethod
    def from_pretrained(folder: Any, **options: Any) -> Any:
        """Return a saved model; the options are those of transformers.

        Raises:
            InputError: models of its kind read and do not write.
        """
        from transformers import AutoConfig

        known = {name: options[name] for name in ("local_files_only", "gguf_file") if name in options}
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **known)
        return _auto_class(config).from_pretrained(folder, **options)


def _auto_class(config: Any) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM if isinstance(adapter_for(config), EncoderDecoder) else AutoModelForCausalLM


def _cut(row: list[int], length: int) -> list[int]:
    """Return the first tokens of a row that is too long, with the one that closes it."""
    return row if len(row) <= length else [*row[: length - 1], row[-1]]


def _plain(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return token ids without special tokens."""
    return list(tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]) if texts else []


def _opening(tokenizer: Any) -> list[int]:
    """Return the token that the tokenizer puts before every text, where there is one."""
    first = tokenizer("a")["input_ids"][:1]
    return first if first and first[0] == tokenizer.bos_token_id else []
