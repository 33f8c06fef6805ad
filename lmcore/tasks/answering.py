"""Extractive question answering: where in a text the answer to a question stands, or that it has none."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import DataError
from lmcore.tasks.answer_text import exact_match, f1, place_answers, read_answers
from lmcore.tasks.base import Column, Task
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.predicted import Predicted, row_number
from lmcore.tasks.teaching import one_lesson
from lmcore.types import Prediction, Report, Span, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.outcomes import Outcomes
    from lmcore.tasks.tally import Tally

ANSWER, NO_ANSWER = "answer", "no answer"


class QuestionAnswering(Task):
    """The stretch of a context that answers a question, or none.

    A long context is read in overlapping windows. A stretch's value is the sum of its two logits, the best one over all
    windows counts; "no answer" is worth the lowest value of the first token over the windows (Devlin et al. 2019). It
    is chosen where the best stretch is not worth more than it by a threshold, which is chosen on dev for the highest
    F1 and kept with the model.
    """

    name = "question-answering"
    title = "Question answering"
    main_metric = "f1"
    dev_metric = "f1"
    editable = False
    loss_ignores_padding = False  # the ends of an answer are chosen among all tokens of a batch's windows
    columns = (
        Column("question", "the question", ("question", "query", "问题")),
        Column(
            "context", "the text in which the answer stands", ("context", "passage", "document", "text", "原文", "文章")
        ),
        Column(
            "answers",
            'a JSON list of {"text", "start"} with the right answers, [] where there is none; or the answer alone',
            ("answers", "answer", "答案"),
            role="answers",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("f1", "F1"), Metric("exact_match", "Exact match"))

    def groups(self, frame: "pd.DataFrame") -> "pd.Series":
        """Return the articles where they are known, else the contexts: no text may stand in two splits."""
        return frame["article"] if "article" in frame.columns else frame["context"]

    def vocabulary_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return every question, and every context once."""
        return [*frame["question"], *frame["context"].drop_duplicates()]

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse answers that cannot be read or do not stand in their context."""
        self._answers(frame, what)
        if labels is None and not any(read_answers(cell) for cell in frame["answers"]):
            raise DataError(f"{what} has no question with an answer: give some to learn from.")

    def model_class(self) -> Any:
        """Return transformers' question-answering auto class."""
        from transformers import AutoModelForQuestionAnswering

        return AutoModelForQuestionAnswering

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode each question with overlapping windows of its context, and where the first answer stands.

        A window without the answer is taught to point at its first token. A question is cut to half a window, which is
        said; of a context nothing is lost.
        """
        from lmcore.tasks.answer_windows import encode_windows

        answers = None if labels is None else self._answers(frame, "the data set")
        questions, contexts = frame["question"].tolist(), frame["context"].tolist()
        return encode_windows(tokenizer, questions, contexts, max_length, answers)

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with the answer that was found, or with another stretch of its context, or ``no answer``."""
        found = [(said.text, span.start) for span in said.spans]
        cell = "[]" if answer == NO_ANSWER else answer or write_answers(found)
        return frame.assign(answers=cell)

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return one for each window: where the answer begins and ends in it."""
        return one_lesson(encodings)

    def written_answers(self, frame: "pd.DataFrame") -> list[str]:
        """Return the right answers of each row."""
        golds = [[text for text, _ in read_answers(cell)] for cell in frame["answers"]]
        return [" / ".join(dict.fromkeys(gold)) or NO_ANSWER for gold in golds]

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Run the model over every window and take each row's best stretch, or no answer."""
        from lmcore.models.predict import predict_token_outputs
        from lmcore.tasks.answer_windows import best_stretches

        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        names = ("start_logits", "end_logits")
        out = predict_token_outputs(loaded, encodings, names, batch_size=batch_size, report=report)
        found = best_stretches(encodings, out["start_logits"], out["end_logits"], len(frame))
        threshold = float(getattr(loaded.model.config, "no_answer_threshold", 0.0))
        predictions = [
            _prediction(int(row), context, stretch.start, stretch.end, stretch.margin - threshold, stretch.share)
            for row, context, stretch in zip(frame["id"], frame["context"], found, strict=True)
        ]
        return Predicted(predictions, encodings)

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return the answer as a whole, against no answer, and its two ends."""
        return [
            Target("span", label, span.start, span.end, against)
            for span in prediction.spans
            for label, against in ((ANSWER, ""), (ANSWER, NO_ANSWER), ("start", ""), ("end", ""))
        ] or [Target("span", NO_ANSWER)]

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return the logits of an answer's first and last token, or of one of them, less those of no answer.

        Raises:
            UnknownError: the target's label is none of ``answer``, ``start``, ``end`` and ``no answer``.
            InputError: no token of the context stands there.
        """
        from lmcore.errors import UnknownError

        nothing: torch.Tensor = out.start_logits[:, 0] + out.end_logits[:, 0]
        known = (ANSWER, "start", "end", NO_ANSWER)
        if target.label not in known or target.against not in ("", NO_ANSWER):
            raise UnknownError("target", target.label, known)
        if target.label == NO_ANSWER:
            return nothing
        places = reading.within(target.start, target.end, "context")
        first, last = out.start_logits[:, int(places[0])], out.end_logits[:, int(places[-1])]
        value: torch.Tensor = {"start": first, "end": last}.get(target.label, first + last)
        return value - nothing if target.against else value

    def rivals(self, loaded: "LoadedModel", target: Target) -> tuple[str, ...]:
        """Return the target and no answer."""
        return (target.label, NO_ANSWER) if target.label != NO_ANSWER else ()

    def outcomes(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "Outcomes":
        """Return which token an answer begins and which it ends with; the first token stands for no answer.

        Raises:
            InputError: no token of the context stands where the target does.
        """
        import torch

        from lmcore.tasks.outcomes import Outcomes

        wanted = np.zeros(2, dtype=np.int64)
        if target.label != NO_ANSWER:
            places = reading.within(target.start, target.end, "context")
            wanted = np.array([places[0], places[-1]])
            wanted = np.where([target.label == "end", target.label == "start"], -1, wanted)
        logits = torch.stack([out.start_logits, out.end_logits], dim=1)
        names = tuple(f"{place} {token}" for place, token in enumerate(reading.tokens.tokens))
        return Outcomes(logits, ("start", "end"), np.array([-1, -1]), (NO_ANSWER, *names[1:]), wanted)

    def tune(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> dict[str, float]:
        """Choose on dev how much more than "no answer" a stretch must be worth, for the highest F1."""
        from lmcore.models.predict import predict_token_outputs
        from lmcore.tasks.answer_windows import best_stretches, choose_threshold

        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        out = predict_token_outputs(loaded, encodings, ("start_logits", "end_logits"))
        found = best_stretches(encodings, out["start_logits"], out["end_logits"], len(frame))
        golds = [[text for text, _ in read_answers(cell)] for cell in frame["answers"]]
        texts = [context[s.start : s.end] for context, s in zip(frame["context"], found, strict=True)]
        answered = np.array([f1(text, gold) for text, gold in zip(texts, golds, strict=True)])
        silent = np.array([float(not gold) for gold in golds])
        return {"no_answer_threshold": choose_threshold(np.array([s.margin for s in found]), answered, silent)}

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return the mean F1 and exact match."""
        values = _values(frame, predictions)
        return {"f1": float(values[:, 0].mean()), "exact_match": float(values[:, 1].mean())}

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return F1 and exact match with intervals, for all questions and for those with and without an answer."""
        import pandas as pd

        from lmcore.tasks.resampling import mean_intervals

        values = _values(frame, predictions)
        (low, high), means = mean_intervals(values, seed=seed), values.mean(axis=0)
        names = [metric.name for metric in self.metrics]
        has = np.array([bool(read_answers(cell)) for cell in frame["answers"]])
        lines = []
        for said, part in (("has an answer", values[has]), ("has no answer", values[~has])):
            if len(part):
                ends, mean = mean_intervals(part, seed=seed), part.mean(axis=0)
                lines += [(said, n, mean[i], ends[0][i], ends[1][i], len(part)) for i, n in enumerate(names)]
        return Scores(
            metrics={name: float(means[n]) for n, name in enumerate(names)},
            intervals={name: (float(low[n]), float(high[n])) for n, name in enumerate(names)},
            tables={"by_class": pd.DataFrame(lines, columns=["label", "metric", "value", "low", "high", "rows"])},
        )

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows; adds ``f1`` and the probability that there is an answer, ``p:answer``."""
        import pandas as pd

        values = _values(frame, predictions)
        golds = [[text for text, _ in read_answers(cell)] for cell in frame["answers"]]
        return pd.DataFrame(
            {
                "id": frame["id"],
                "text": self.texts(frame),
                "gold": [" / ".join(dict.fromkeys(gold)) or NO_ANSWER for gold in golds],
                "label": [p.text or NO_ANSWER for p in predictions],
                "score": [p.score for p in predictions],
                "correct": values[:, 1] == 1,
                "f1": values[:, 0],
                "p:answer": [p.probabilities[ANSWER] for p in predictions],
            }
        )

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return F1 and exact match of each question, whose means the metrics are."""
        from lmcore.tasks.tally import Tally

        values = table[["f1", "correct"]].to_numpy(dtype=float)
        rows = np.hstack([values, np.ones((len(values), 1))])
        return Tally(rows, lambda sums: {m.name: sums[..., n] / sums[..., 2] for n, m in enumerate(self.metrics)})

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return no answer at all, and the sentence of the context that shares most words with the question."""
        from lmcore.tasks.baselines import closest_sentence

        rows = list(zip(test["id"], test["question"], test["context"], strict=True))
        places = [closest_sentence(question, context) for _, question, context in rows]
        return {
            "always no answer": [_prediction(int(row), context, 0, 0, -1.0, 1.0) for row, _, context in rows],
            "sentence with most words of the question": [
                _prediction(int(row), context, *place, 1.0, 1.0)
                for (row, _, context), place in zip(rows, places, strict=True)
            ],
        }

    def _answers(self, frame: "pd.DataFrame", what: str) -> list[list[tuple[str, int]]]:
        found = []
        for position, (cell, context) in enumerate(zip(frame["answers"], frame["context"], strict=True)):
            try:
                found.append(place_answers(cell, context))
            except ValueError as error:
                raise DataError(f"Row {row_number(frame, position)} of {what} cannot be used: {error}.") from error
        return found


def write_answers(answers: Sequence[tuple[str, int]]) -> str:
    """Return answers, each a text and its first character, as a cell."""
    return json.dumps([{"text": text, "start": start} for text, start in answers], ensure_ascii=False)


def _prediction(row: int, context: str, start: int, end: int, margin: float, share: float) -> Prediction:
    """Return an answer, or none where the margin over it is not above 0.

    Args:
        row: the row's id.
        context: the text.
        start: first character of the best stretch.
        end: the character behind it.
        margin: how much more than no answer it is worth, in logits.
        share: the probability of the stretch among all stretches.
    """
    answer = float(1 / (1 + np.exp(-np.clip(margin, -50, 50))))
    probabilities = {ANSWER: answer, NO_ANSWER: 1 - answer}
    if margin <= 0 or end <= start:
        return Prediction(id=row, label=NO_ANSWER, score=probabilities[NO_ANSWER], probabilities=probabilities)
    score = answer * share
    span = Span(start, end, ANSWER, score)
    return Prediction(row, ANSWER, score, probabilities, (span,), context[start:end])


def _values(frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> np.ndarray:
    """Return F1 and exact match of each row, float64 of shape (rows, 2)."""
    golds = [[text for text, _ in read_answers(cell)] for cell in frame["answers"]]
    rows = [(f1(p.text, gold), exact_match(p.text, gold)) for p, gold in zip(predictions, golds, strict=True)]
    return np.array(rows, dtype=float).reshape(-1, 2)
