"""Completion: the next token with a decoder, masked tokens with an encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import InputError
from lmcore.tasks.figures import Metric
from lmcore.tasks.language import (
    PERPLEXITY,
    LanguagePrediction,
    LanguageTask,
    gather,
    ngram_rivals,
    perplexity,
    text_sizes,
)
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.teaching import token_lessons
from lmcore.types import Prediction, Report, Target, count_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.likelihood import TokenScores
    from lmcore.models.load import LoadedModel

GAP = "[MASK]"
SHOWN = 5
_PROMPT = 40


class Completion(LanguageTask):
    """Finds the token that is missing: the next one with a decoder, one behind a mask with an encoder.

    An encoder is one whose tokenizer has a mask token. It is trained on masks that are drawn anew for every batch, and
    measured on 15 % of the tokens, which are always the same ones and are hidden all at once; a decoder is measured on every
    token.
    """

    name = "completion"
    title = "Completion"
    metrics: ClassVar[tuple[Metric, ...]] = (
        PERPLEXITY,
        Metric("top1", "Top-1 accuracy"),
        Metric("top5", "Top-5 accuracy"),
    )

    def model_class(self) -> Any:
        """Return a loader that gives a model the language head of its architecture."""
        return LanguageHead

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode whole texts; a long one takes several windows."""
        from lmcore.models import causal, masked

        texts = frame["text"].tolist()
        if is_masked(tokenizer):
            encoder = masked.encode_masked if labels is None else masked.encode_unmasked
        else:
            encoder = causal.encode_measured if labels is None else causal.encode_learnt
        return encoder(tokenizer, texts, max_length)

    def collate(self, tokenizer: Any, encodings: "Encodings", rows: Sequence[int]) -> "dict[str, torch.Tensor]":
        """Return one training batch; for an encoder with masks drawn anew."""
        from lmcore.models.masked import mask_batch

        if not is_masked(tokenizer):
            return super().collate(tokenizer, encodings, rows)
        return mask_batch(tokenizer, encodings, rows)

    def predict(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> Predicted:
        """Fill every ``[MASK]`` of a text, or, where there is none, find what comes next."""
        from lmcore.models.likelihood import likely_tokens

        texts = frame["text"].tolist()
        if is_masked(loaded.tokenizer):
            texts = [text if GAP in text else f"{text} {GAP}" for text in texts]
        encodings = self._open_encodings(loaded, texts)
        likely = likely_tokens(loaded, encodings, SHOWN, batch_size=batch_size, report=report)
        found: list[list[Any]] = [[] for _ in texts]
        for row, places in zip(encodings.rows if encodings.rows is not None else [], likely, strict=True):
            found[row] += places
        ids = frame["id"].tolist()
        answers = [
            _completed(loaded.tokenizer, int(row), text, places)
            for row, text, places in zip(ids, texts, found, strict=True)
        ]
        return Predicted(answers, encodings)

    def examine(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> Predicted:
        """Measure how probable the tokens of each text are that are to be found, and show one of each."""
        from lmcore.models.likelihood import score_tokens

        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        scores = score_tokens(loaded, encodings, batch_size=batch_size, report=report)
        found = gather(frame, scores, text_sizes(loaded.tokenizer, frame["text"].tolist()))
        return Predicted(list(_with_examples(loaded.tokenizer, found, encodings, scores)), encodings)

    def encode_read(self, loaded: "LoadedModel", frame: "pd.DataFrame", output: str = "") -> "Encodings":
        """Encode a text with its gaps or, where an output is given to a decoder, with what follows it."""
        from lmcore.models.causal import encode_continued
        from lmcore.tasks.generation import prompt_ids

        text = frame["text"].iloc[0]
        if is_masked(loaded.tokenizer):
            return self._open_encodings(loaded, [text if GAP in text else f"{text} {GAP}"])
        if not output:
            return self._open_encodings(loaded, [text])
        return encode_continued(loaded.tokenizer, prompt_ids(loaded.tokenizer, [text])[0], output, loaded.max_length)

    def encode_learnt(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> "Encodings":
        """Encode rows with what is learnt of them; of an encoder the tokens that are hidden where it is measured."""
        if not is_masked(loaded.tokenizer):
            return self.encode(loaded.tokenizer, frame, loaded.max_length, ())
        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        return _labelled(encodings, encodings.notes["targets"])

    def encode_taught(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "Encodings":
        """Encode a text, and what fills its gaps or comes next, or another answer, as what is to be learnt.

        Raises:
            InputError: the answer has not one token for each gap.
        """
        from lmcore.models.likelihood import likely_tokens

        if not is_masked(loaded.tokenizer):
            return self.encode_read(loaded, frame, answer or said.text.removeprefix(frame["text"].iloc[0]))
        encodings = self.encode_read(loaded, frame)
        if not answer:
            likely = likely_tokens(loaded, encodings, 1)
            return _labelled(encodings, [[int(ids[0]) for ids, _ in places] for places in likely])
        tokens = loaded.tokenizer(answer, add_special_tokens=False, verbose=False)["input_ids"]
        gaps = [len(places) for places in encodings.notes["places"]]
        if len(tokens) != sum(gaps):
            raise InputError(
                f"The answer {answer[:40]!r} has {count_of(len(tokens), 'token')} and the text "
                f"{count_of(int(sum(gaps)), 'gap')}: give one token for each."
            )
        ends = np.cumsum([0, *gaps])
        return _labelled(encodings, [tokens[a:b] for a, b in pairwise(ends)])

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return how many tokens of each window are predicted."""
        return token_lessons(encodings, shifted=not is_masked(loaded.tokenizer))

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return the most probable tokens of the first gap, then the first of them against each other one."""
        ranked = sorted(prediction.probabilities, key=lambda token: -prediction.probabilities[token])
        alone = [Target("token", token) for token in ranked]
        return alone + [Target("token", ranked[0], against=other) for other in ranked[1:]]

    def _open_encodings(self, loaded: "LoadedModel", texts: Sequence[str]) -> "Encodings":
        """Encode what is to be completed; a decoder reads the last tokens of a text that is too long."""
        from lmcore.models.encode import counted
        from lmcore.models.masked import encode_gaps
        from lmcore.tasks.generation import prompt_ids

        tokenizer = loaded.tokenizer
        if is_masked(tokenizer):
            return encode_gaps(
                tokenizer, [text.replace(GAP, tokenizer.mask_token) for text in texts], loaded.max_length
            )
        begin = next((t for t in (tokenizer.bos_token_id, tokenizer.eos_token_id) if t is not None), 0)
        whole = [ids or [begin] for ids in prompt_ids(tokenizer, texts)]
        kept = [ids[-loaded.max_length :] for ids in whole]
        return counted(
            tokenizer,
            kept,
            truncated=np.array([len(ids) > loaded.max_length for ids in whole], dtype=bool),
            rows=np.arange(len(texts)),
            notes={"places": [[len(ids) - 1] for ids in kept]},
        )

    def figures(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return perplexity, and the shares of tokens that are the first guess and among the first five."""
        from lmcore.tasks.ratios import divided

        shares = {name: divided(sums[name], sums["tokens"], float("nan")) for name in ("top1", "top5")}
        return {"perplexity": perplexity(sums), **shares}

    def token_baselines(
        self, tokenizer: Any, max_length: int, train: "pd.DataFrame", dev: "pd.DataFrame", test: "pd.DataFrame"
    ) -> dict[str, list[Prediction]]:
        """Return a unigram model (add-one) over the same tokens: it guesses the most frequent ones everywhere."""
        return ngram_rivals(tokenizer, train, test, self.encode(tokenizer, test, max_length), bigram=False)


def _labelled(encodings: "Encodings", targets: Sequence[Sequence[int]]) -> "Encodings":
    """Return windows with tokens to be learnt at the places of their masks."""
    from lmcore.models.encode import IGNORED

    labels = [[IGNORED] * len(ids) for ids in encodings.ids]
    for own, places, tokens in zip(labels, encodings.notes["places"], targets, strict=True):
        for place, token in zip(places, tokens, strict=True):
            own[place] = int(token)
    return replace(encodings, fields={**encodings.fields, "labels": labels})


class LanguageHead:
    """Loads or builds the language head of a model's architecture, as transformers' auto classes do."""

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """Build a model with random weights."""
        return cls._auto_class(config).from_config(config)

    @classmethod
    def from_pretrained(cls, folder: Any, **options: Any) -> Any:
        """Load a model from its folder."""
        from transformers import AutoConfig

        source = {name: options[name] for name in ("gguf_file", "local_files_only") if name in options}
        return cls._auto_class(AutoConfig.from_pretrained(folder, **source)).from_pretrained(folder, **options)

    @staticmethod
    def _auto_class(config: Any) -> Any:
        from transformers import AutoModelForCausalLM, AutoModelForMaskedLM
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

        if config.is_encoder_decoder:
            raise InputError(f"A {config.model_type} completes no text by tokens: take an encoder or a decoder.")
        return AutoModelForMaskedLM if type(config) in MODEL_FOR_MASKED_LM_MAPPING else AutoModelForCausalLM


def is_masked(tokenizer: Any) -> bool:
    """Say whether a tokenizer belongs to a model that finds masked tokens."""
    return tokenizer.mask_token_id is not None


def token_name(tokenizer: Any, token: int) -> str:
    """Return the text that a token stands for, or the vocabulary's name of one that is a part of a character."""
    name = str(tokenizer.decode([token]))
    return name if "\ufffd" not in name else str(tokenizer.convert_ids_to_tokens(token))


def _completed(tokenizer: Any, row: int, text: str, places: Sequence[tuple[np.ndarray, np.ndarray]]) -> Prediction:
    """Return a text with its gaps filled, and the five most probable tokens of the first one."""
    pieces = [tokenizer.decode([int(ids[0])]) for ids, _ in places]
    probabilities: dict[str, float] = {}
    for token, share in zip(*places[0], strict=True) if places else ():
        name = token_name(tokenizer, int(token))
        probabilities[name] = probabilities.get(name, 0.0) + float(share)
    if not is_masked(tokenizer):
        text += "".join(pieces)
    for piece in pieces if is_masked(tokenizer) else ():
        before, _, after = text.partition(GAP)
        text = (before.rstrip() + piece[2:] if piece.startswith("##") else before + piece.strip()) + after
    return Prediction(row, score=float(places[0][1][0]) if places else 0.0, probabilities=probabilities, text=text)


def _with_examples(
    tokenizer: Any, found: Sequence[LanguagePrediction], encodings: "Encodings", scores: "TokenScores"
) -> list[LanguagePrediction]:
    """Add to each row's sums the token in the middle of those that were to be found, and the guess for it."""
    shown = list(found)
    starts = np.cumsum([0, *(len(places) for places in encodings.notes["places"])])
    for row in range(len(shown)):
        own = np.flatnonzero(scores.rows == row)
        if not len(own):
            continue
        token = int(own[len(own) // 2])
        window = int(np.searchsorted(starts, token, side="right")) - 1
        place = encodings.notes["places"][window][token - int(starts[window])]
        ids = encodings.ids[window]
        around = ids[max(place - _PROMPT, 0) : place + (_PROMPT if is_masked(tokenizer) else 1)]
        hidden = set(tokenizer.all_special_ids) - {tokenizer.mask_token_id}
        shown[row] = replace(
            shown[row],
            prompt=tokenizer.decode([t for t in around if t not in hidden]),
            gold=tokenizer.decode([int(scores.targets[token])]),
            guess=tokenizer.decode([int(scores.best[token])]),
            score=float(scores.sureness[token]),
        )
    return shown
