"""Text generation: a causal language model that writes on from a text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import InputError
from lmcore.tasks.figures import Metric
from lmcore.tasks.language import PERPLEXITY, LanguageTask, gather, ngram_rivals, perplexity, text_sizes
from lmcore.tasks.phrases import phrase_targets
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.prompting import Prompts
from lmcore.tasks.teaching import token_lessons
from lmcore.types import Part, Prediction, Report, Silent, Target

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.decoding import Decoding
    from lmcore.models.encode import Encodings
    from lmcore.models.generate import Written
    from lmcore.models.load import LoadedModel

PROMPTS = 64
PROMPT_TOKENS = 32
_REPEATED = 4


class TextGeneration(LanguageTask):
    """Learns to write texts like those it is given, and writes on from a beginning.

    A text is measured as a whole, in windows of the model's length that overlap by half; a continuation is written for up to
    `PROMPTS` rows, from the first half of the text's tokens or `PROMPT_TOKENS` of them.

    Args:
        decoding: how continuations are written; where None up to 48 tokens are sampled from seed 0.
    """

    name = "text-generation"
    title = "Text generation"
    judged = False
    metrics: ClassVar[tuple[Metric, ...]] = (
        PERPLEXITY,
        Metric("bits_per_byte", "Bits per byte", "bits", higher=False, maximum=None),
        Metric("distinct_1", "Distinct words of a continuation"),
        Metric("distinct_2", "Distinct word pairs of a continuation"),
        Metric("repetition", "Repeated runs of four words", higher=False),
    )

    def __init__(self, decoding: "Decoding | None" = None) -> None:
        from lmcore.models.decoding import Decoding

        self._decoding = decoding or Decoding(sample=True, temperature=0.8, top_p=0.95, max_new_tokens=48)

    def model_class(self) -> Any:
        """Return transformers' causal-language-model auto class."""
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode whole texts: for training each with its end token, for measuring in windows that overlap by half."""
        from lmcore.models.causal import encode_learnt, encode_measured

        encoder = encode_measured if labels is None else encode_learnt
        return encoder(tokenizer, frame["text"].tolist(), max_length)

    def predict(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> Predicted:
        """Write on from each text as it stands."""
        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        prompts = prompt_ids(loaded.tokenizer, frame["text"].tolist())
        written = self._write(loaded, prompts, batch_size, report or Silent())
        predictions: list[Prediction] = [
            Prediction(int(row), text=item.text, score=item.score)
            for row, item in zip(frame["id"], written, strict=True)
        ]
        return Predicted(predictions, encodings)

    def examine(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> Predicted:
        """Measure how probable each text is, and write on from the beginnings of some."""
        from lmcore.models.likelihood import score_tokens

        report = report or Silent()
        texts = frame["text"].tolist()
        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        scores = score_tokens(loaded, encodings, batch_size=batch_size, report=Part(report, 0.0, 0.6))
        rows = np.unique(np.linspace(0, len(frame) - 1, min(PROMPTS, len(frame))).astype(int))
        beginnings = {int(row): _beginning(prompt_ids(loaded.tokenizer, [texts[row]])[0]) for row in rows}
        written = self._write(loaded, list(beginnings.values()), batch_size, Part(report, 0.6, 1.0))
        found = gather(frame, scores, text_sizes(loaded.tokenizer, texts))
        for (row, ids), item in zip(beginnings.items(), written, strict=True):
            prompt = loaded.tokenizer.decode(ids, skip_special_tokens=True)
            gold = texts[row].removeprefix(prompt)
            found[row] = replace(found[row], text=item.text, guess=item.text, prompt=prompt, gold=gold)
        return Predicted(list(found), encodings)

    def prompts(self, tokenizer: Any, frame: "pd.DataFrame", limit: int) -> Prompts:
        """Return the beginning of each text, as long as those that are measured; what follows it is the reference."""
        from lmcore.models.encode import counted

        texts = frame["text"].tolist()
        ids = [_beginning(row)[-max(1, limit - 1) :] or _nothing(tokenizer) for row in prompt_ids(tokenizer, texts)]
        sources = tuple(tokenizer.decode(row, skip_special_tokens=True) for row in ids)
        rest = tuple(text.removeprefix(source) for text, source in zip(texts, sources, strict=True))
        return Prompts(counted(tokenizer, ids), sources, rest)

    def encode_read(self, loaded: "LoadedModel", frame: "pd.DataFrame", output: str = "") -> "Encodings":
        """Encode a text as a beginning, and what was written after it."""
        from lmcore.models.causal import encode_continued

        prompt = prompt_ids(loaded.tokenizer, frame["text"].tolist())[0] or _nothing(loaded.tokenizer)
        return encode_continued(loaded.tokenizer, prompt, output, loaded.max_length)

    def encode_taught(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "Encodings":
        """Encode a text, and what was written after it, or another continuation, as what is to be learnt.

        Raises:
            InputError: nothing was written.
        """
        output = answer or said.text
        if not output:
            raise InputError("The model wrote nothing after this text: give a continuation as the answer.")
        return self.encode_read(loaded, frame, output)

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return how many tokens of each window are predicted."""
        return token_lessons(encodings, shifted=True)

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return each word of what was written, then the whole of it."""
        return phrase_targets(prediction.text)

    def settings(self, loaded: "LoadedModel") -> dict[str, Any]:
        """Return how continuations are written, and the stride of the windows in which texts are measured."""
        from lmcore.models.causal import evaluation_stride

        return {
            "decoding": asdict(self._decoding),
            "window": loaded.max_length,
            "stride": evaluation_stride(loaded.max_length),
        }

    def decoding(self, loaded: "LoadedModel | None" = None) -> "Decoding":
        """Return how continuations are written, whatever the model."""
        return self._decoding

    def decoded(self, decoding: "Decoding") -> "TextGeneration":
        """Return the task as one that writes continuations in another way."""
        return TextGeneration(decoding)

    def _write(
        self, loaded: "LoadedModel", prompts: Sequence[Sequence[int]], batch_size: int, report: Report
    ) -> "list[Written]":
        """Write on from each prompt; of one that leaves the model no room the last tokens are read."""
        from lmcore.models.encode import counted
        from lmcore.models.generate import write_texts

        room = max(1, loaded.max_length - self._decoding.max_new_tokens)
        kept = [list(ids[-room:]) or _nothing(loaded.tokenizer) for ids in prompts]
        return write_texts(
            loaded, counted(loaded.tokenizer, kept), self._decoding, batch_size=batch_size, report=report
        )

    def statistics(self, predictions: Sequence[Prediction]) -> dict[str, np.ndarray]:
        """Add to the shared sums the shares of distinct and repeated words of each continuation."""
        from lmcore.data.text import words

        found = super().statistics(predictions)
        written = [words(p.text) for p in predictions]
        for name, order in (("distinct_1", 1), ("distinct_2", 2), ("distinct_4", _REPEATED)):
            long = [len(each) >= order for each in written]
            found[name] = np.array(
                [distinct_share(w, order) if ok else 0.0 for w, ok in zip(written, long, strict=True)]
            )
            found[f"{name}_texts"] = np.array(long, dtype=np.float64)
        return found

    def figures(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return perplexity, bits per byte, and the mean shares of distinct and repeated words."""
        from lmcore.tasks.ratios import divided

        nothing = float("nan")
        shares = {
            name: divided(sums[name], sums[f"{name}_texts"], nothing)
            for name in ("distinct_1", "distinct_2", "distinct_4")
        }
        return {
            "perplexity": perplexity(sums),
            "bits_per_byte": divided(sums["nll"] / np.log(2), sums["size"], nothing),
            "distinct_1": shares["distinct_1"],
            "distinct_2": shares["distinct_2"],
            "repetition": 1 - shares["distinct_4"],
        }

    def is_right(self, prediction: Prediction) -> bool:
        """Call nothing wrong: a text can go on in many ways."""
        return True

    def token_baselines(
        self, tokenizer: Any, max_length: int, train: "pd.DataFrame", dev: "pd.DataFrame", test: "pd.DataFrame"
    ) -> dict[str, list[Prediction]]:
        """Return a unigram model (add-one) and a bigram model (Kneser-Ney) over the same tokens."""
        return ngram_rivals(tokenizer, train, test, self.encode(tokenizer, test, max_length), bigram=True)


def prompt_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return texts as beginnings: their tokens without an end token."""
    from lmcore.models.causal import token_ids

    end = tokenizer.eos_token_id
    return [
        ids[:-1] if end is not None and len(ids) > 1 and ids[-1] == end else ids for ids in token_ids(tokenizer, texts)
    ]


def _beginning(ids: Sequence[int]) -> list[int]:
    """Return the part of a text from which it is written on: half of its tokens, up to `PROMPT_TOKENS`."""
    return list(ids[: max(1, min(PROMPT_TOKENS, len(ids) // 2))])


def _nothing(tokenizer: Any) -> list[int]:
    """Return the token that stands for the beginning of a text that has no other."""
    return [token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, 0) if token is not None][:1]


def distinct_share(words: Sequence[str], order: int) -> float:
    """Return distinct runs of ``order`` words over all of them (distinct-n within one text, Li et al. 2016), 0 to 1."""
    runs = list(zip(*(words[start:] for start in range(order)), strict=False))
    return len(set(runs)) / len(runs) if runs else 0.0
