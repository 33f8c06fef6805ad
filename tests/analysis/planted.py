"""Small classifiers that do what they were built to do: a planted word alone decides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lmcore.models.load import LoadedModel, token_limit
from lmcore.types import Input, ModelRef, Prediction

ENGLISH = (
    "the",
    "film",
    "was",
    "seen",
    "today",
    "by",
    "many",
    "people",
    "and",
    "we",
    "left",
    "early",
    "superb",
    "dreadful",
)
CHINESE = tuple("这部电影今天很多人看了我们早走棒糟片子不")


def planted_tokenizer(words: Sequence[str]) -> Any:
    """Return a tokenizer to which each of the words is one token."""
    from transformers import BertTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(words)]
    return BertTokenizerFast(vocab={name: n for n, name in enumerate(names)}, model_max_length=64)


def planted_classifier(
    positive: str,
    negative: str,
    words: Sequence[str],
    *,
    task: str = "text-classification",
    labels: Sequence[str] = ("bad", "good"),
) -> LoadedModel:
    """Return a mean-pooling classifier with random word vectors, in which one word says yes and another no.

    The last feature is above 0 for the positive word, below 0 for the negative one and 0 for all others; the output reads it
    alone, at the embeddings, with a bias towards the first label.
    """
    import torch

    from lmcore.models.configured import bert_config
    from lmcore.models.pooled import MeanPoolClassifier, MeanPoolConfig

    tokenizer = planted_tokenizer(words)
    inner = bert_config(tokenizer, layers=1, width=16, heads=2)
    config = MeanPoolConfig(encoder=inner.to_dict(), layer=0, cut=False, num_labels=len(labels))
    config.id2label, config.label2id = dict(enumerate(labels)), {name: n for n, name in enumerate(labels)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = MeanPoolClassifier(config).eval().requires_grad_(False)
    embeddings = model.encoder.embeddings
    embeddings.position_embeddings.weight.zero_()
    embeddings.token_type_embeddings.weight.zero_()
    words_of = embeddings.word_embeddings.weight
    words_of.div_(words_of.std())
    # Each row's mean is 0, so that the norm that follows leaves a 0 where it is.
    words_of[:, :-2] -= words_of[:, :-2].mean(dim=1, keepdim=True)
    words_of[:, -2:] = 0.0
    yes, no = (tokenizer.convert_tokens_to_ids(word) for word in (positive, negative))
    words_of[no] = words_of[yes]
    words_of[yes, -2:] = torch.tensor([-0.7, 0.7])
    words_of[no, -2:] = torch.tensor([0.7, -0.7])
    model.classifier.weight.zero_()
    model.classifier.bias.zero_()
    model.classifier.weight[1, -1] = 120.0
    model.classifier.bias[0] = 1.5
    return LoadedModel(
        ModelRef("folder", "planted"),
        task,
        model,
        tokenizer,
        tuple(labels),
        "planted",
        "cpu",
        0,
        token_limit(model, tokenizer),
    )


class Rule:
    """A black box: ``good`` where enough of the words stand in the text, and how often it was asked."""

    def __init__(self, words: Sequence[str], needed: int = 1) -> None:
        self.words, self.needed = tuple(words), needed
        self.texts: list[Input] = []

    def __call__(self, texts: Sequence[Input]) -> list[Prediction]:
        self.texts += texts
        return [self._predict(text if isinstance(text, str) else " ".join(text.values())) for text in texts]

    def _predict(self, text: str) -> Prediction:
        score = sum(word in text for word in self.words) - self.needed + 0.5
        good = float(1 / (1 + np.exp(-2 * score)))
        label = "good" if good > 0.5 else "bad"
        return Prediction(0, label, max(good, 1 - good), {"good": good, "bad": 1 - good})


def labelled_frame(texts: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(len(texts)), "text": list(texts), "label": list(labels)}).astype(
        {"text": "str", "label": "str"}
    )
