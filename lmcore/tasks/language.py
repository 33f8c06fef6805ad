"""What the tasks share that measure how well a model knows a language: text generation and completion."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.tasks.base import Column, Task
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.phrases import phrase_probability, phrase_value
from lmcore.types import Prediction, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.likelihood import TokenScores
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.tally import Tally

TEXT = Column(
    "text",
    "a text of the kind that is to be learnt",
    ("text", "content", "document", "story", "article", "paragraph", "sentence", "文本", "内容", "正文"),
)
_SUMS = ("nll", "tokens", "size", "top1", "top5")
PERPLEXITY = Metric("perplexity", "Perplexity", "per token, from 1", higher=False, maximum=None)


@dataclass(frozen=True, slots=True)
class LanguagePrediction(Prediction):
    """A prediction with what its row adds to the sums that the metrics are made of.

    Attributes:
        nll: negative log probability of the row's tokens that were predicted, in nats.
        tokens: how many were.
        size: bytes of the text that they stand for, in UTF-8.
        top1: how many of them were the most probable token.
        top5: how many were among the five most probable ones.
        prompt: what the model was given to go on from, or the text with what was hidden of it.
        gold: what really comes there.
        guess: what the model says instead.
    """

    nll: float = 0.0
    tokens: int = 0
    size: int = 0
    top1: int = 0
    top5: int = 0
    prompt: str = ""
    gold: str = ""
    guess: str = ""


class LanguageTask(Task):
    """A task on plain text, with nothing to be labelled."""

    main_metric = "perplexity"
    plain_text = "lmcore.data.plain:read_plain"
    columns: ClassVar[tuple[Column, ...]] = (TEXT,)

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Take every row that has a text."""

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return nothing: a language head has no labels."""
        return {}

    def statistics(self, predictions: Sequence[Prediction]) -> dict[str, np.ndarray]:
        """Return what each row adds to the sums of the metrics, float64 of shape (rows,) by name."""
        return {name: np.array([getattr(p, name, 0) for p in predictions], dtype=np.float64) for name in _SUMS}

    @abstractmethod
    def figures(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Turn sums of the statistics, each of any shape, into metrics of that shape."""

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return the metrics over all rows together."""
        from lmcore.tasks.ratios import summed

        found = self.figures(summed(self.statistics(predictions)))
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return the metrics with their intervals; a baseline that writes nothing has no figure for what is written."""
        from lmcore.tasks.ratios import bootstrap

        metrics = self.measure(frame, predictions, labels)
        ends = bootstrap(self.statistics(predictions), self.figures, seed=seed)
        return Scores(metrics, {name: ends[name] for name in metrics}, {})

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set what the model says beside the rows; ``nll`` (nats) and ``tokens`` are added, and ``prompt``."""
        import pandas as pd

        return pd.DataFrame(
            {
                "id": frame["id"].to_numpy(),
                "text": frame["text"].to_numpy(),
                "gold": [getattr(p, "gold", "") for p in predictions],
                "label": [getattr(p, "guess", "") for p in predictions],
                "score": [p.score for p in predictions],
                "correct": [self.is_right(p) for p in predictions],
                "prompt": [getattr(p, "prompt", "") for p in predictions],
                **{name: [getattr(p, name, 0) for p in predictions] for name in _SUMS},
            }
        )

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return the sums that the metrics are made of, with perplexity as the first of them."""
        from lmcore.tasks.tally import Tally

        rows = [
            LanguagePrediction(0, text=str(line.label), **{name: getattr(line, name) for name in _SUMS})
            for line in table.itertuples(index=False)
        ]
        found = self.statistics(rows)
        names = list(found)
        return Tally(
            np.column_stack([found[name] for name in names]),
            lambda sums: self.figures({name: sums[..., place] for place, name in enumerate(names)}),
        )

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return how probable a phrase, or a token at a gap, is; see `lmcore.tasks.phrases.phrase_value`.

        Raises:
            InputError: it does not stand there.
        """
        return phrase_value(loaded.tokenizer, out.logits, reading, target)

    def probability(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return how probable a phrase, or a token at a gap, is, 0 to 1."""
        return phrase_probability(loaded.tokenizer, out.logits, reading, target)

    def is_right(self, prediction: Prediction) -> bool:
        """Say whether a row's guess is what really comes there."""
        return bool(getattr(prediction, "guess", "") == getattr(prediction, "gold", ""))


def gather(frame: "pd.DataFrame", scores: "TokenScores", sizes: Sequence[int]) -> list[LanguagePrediction]:
    """Add up what a model said about the tokens of each row; the score is the geometric mean of their probabilities."""
    rows = len(frame)
    flags = (np.ones_like(scores.nll), scores.ranks < 1, scores.ranks < 5)
    counts = [scores.per_row(flag, rows).astype(int).tolist() for flag in flags]
    return [
        LanguagePrediction(
            int(row), score=float(np.exp(-nll / max(n, 1))), nll=float(nll), tokens=n, size=size, top1=first, top5=fifth
        )
        for row, nll, n, first, fifth, size in zip(
            frame["id"], scores.per_row(scores.nll, rows), *counts, sizes, strict=True
        )
    ]


def perplexity(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the exponential of the mean negative log probability of a token; not a number without any token."""
    from lmcore.tasks.ratios import divided

    value: np.ndarray = np.exp(divided(sums["nll"], sums["tokens"], float("nan")))
    return value


def text_sizes(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Return the UTF-8 bytes of each text, less its first token's where nothing stands before it to predict it from."""
    if not texts:
        return []
    out = tokenizer(list(texts), return_offsets_mapping=True, verbose=False)
    special = set(tokenizer.all_special_ids)
    sizes = []
    for text, ids, offsets in zip(texts, out["input_ids"], out["offset_mapping"], strict=True):
        unseen = offsets[0][1] if ids and ids[0] not in special else 0
        sizes.append(len(text[unseen:].encode(errors="replace")))
    return sizes


def ngram_rivals(
    tokenizer: Any, train: "pd.DataFrame", test: "pd.DataFrame", encodings: Any, *, bigram: bool
) -> dict[str, list[Prediction]]:
    """Measure n-gram models, counted on the training rows, on the very tokens that the model is measured on.

    Args:
        tokenizer: the model's.
        train: rows to count on.
        test: rows to measure on.
        encodings: the test rows as windows; the note ``targets`` has the tokens.
        bigram: whether a token is also predicted from the one at its place in the window.
    """
    from lmcore.models.causal import token_ids
    from lmcore.tasks.ngrams import NgramModel

    model = NgramModel.count(token_ids(tokenizer, train["text"].tolist()), len(tokenizer))
    targets = [np.array(each, dtype=np.int64) for each in encodings.notes["targets"]]
    flat = np.concatenate([*targets, np.zeros(0, np.int64)])
    owners = np.repeat(encodings.rows, [len(each) for each in targets]).astype(np.int64)
    ranks = model.unigram_ranks(flat)
    found = {"unigram": model.unigram(flat)}
    if bigram:
        before = [
            ids[place] for ids, places in zip(encodings.ids, encodings.notes["places"], strict=True) for place in places
        ]
        found["bigram"] = model.bigram(np.array(before, dtype=np.int64), flat)
    sizes = text_sizes(tokenizer, test["text"].tolist())
    return {
        name: _rival(test, owners, -np.log(probabilities), ranks if name == "unigram" else None, sizes)
        for name, probabilities in found.items()
    }


def _rival(
    test: "pd.DataFrame", owners: np.ndarray, nll: np.ndarray, ranks: np.ndarray | None, sizes: Sequence[int]
) -> list[Prediction]:
    sums = [np.bincount(owners, weights=nll, minlength=len(test)), np.bincount(owners, minlength=len(test))]
    for best in (1, 5):
        hits = np.zeros(len(nll)) if ranks is None else (ranks < best).astype(float)
        sums.append(np.bincount(owners, weights=hits, minlength=len(test)))
    return [
        LanguagePrediction(int(row), nll=float(loss), tokens=int(count), size=size, top1=int(first), top5=int(fifth))
        for row, loss, count, first, fifth, size in zip(test["id"], *sums, sizes, strict=True)
    ]
