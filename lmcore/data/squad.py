"""Question answering files in the form of SQuAD 1.1 and 2.0, and questions that their text does not answer."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.cells import build_frame, cell_text
from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, OptionError
from lmcore.tasks.answer_text import read_answers

_FORM = 'a list "data" of articles with "paragraphs", each with a "context" and "qas"'


def is_squad(document: Any) -> bool:
    """Say whether a JSON document has the form of SQuAD: articles in ``data``, each with ``paragraphs``."""
    articles = document.get("data") if isinstance(document, Mapping) else None
    return isinstance(articles, list) and any(isinstance(a, Mapping) and "paragraphs" in a for a in articles)


def read_squad(document: Mapping[str, Any], what: str) -> pd.DataFrame:
    """Turn a SQuAD document into a table.

    Returns:
        One row a question: ``question``, ``context``, ``answers`` (a JSON list of ``text`` and ``start``, without repeats;
        ``[]`` where the question is marked as impossible or has no answer), ``article`` (its title, or its number) and
        ``key`` (the question's id in the file).

    Raises:
        DataError: a part is not there; the message names the article.
    """
    rows = [row for number, article in enumerate(document["data"], 1) for row in _questions(article, number, what)]
    if not rows:
        raise DataError(f"{what} has no question: give {_FORM}.")
    columns = zip(*rows, strict=True)
    names = ["question", "context", "answers", "article", "key"]
    return build_frame(names, [pd.Series(column, dtype="str") for column in columns])


def pair_unanswerable(data: TextDataset, *, share: float = 0.33, seed: int = 0) -> TextDataset:
    """Add questions without an answer: questions of the data beside another paragraph of the same article.

    A paragraph in which an answer of the question stands is never taken. Where rows have no column ``article``, all
    paragraphs are of one; where they are split, a question stays in its split.

    Args:
        data: questions with their contexts and answers.
        share: of the rows that have no answer afterwards, 0 to below 1; those that are there already count.
        seed: of which questions are taken and which paragraphs they get.

    Returns:
        A new data set, not stored yet, with the new rows behind the others under new ids; fewer where there are not
        enough fitting paragraphs.

    Raises:
        OptionError: the share is out of range, or the rows are no questions.
    """
    if not {"question", "context", "answers"} <= set(data.frame.columns):
        raise OptionError(
            f"{data.name!r} has no questions with answers to pair: leave this out, or load it for that task."
        )
    if not 0 <= share < 1:
        raise OptionError(f"The share of questions without an answer is {share}: give 0 to below 1.")
    frame = data.frame
    answers = [read_answers(cell) for cell in frame["answers"]]
    answered = np.flatnonzero([bool(found) for found in answers])
    wanted = round(share * len(answered) / (1 - share)) - (len(frame) - len(answered))
    rng = np.random.default_rng(seed)
    paragraphs = _paragraphs(frame)
    added: list[pd.Series] = []
    for row in rng.permutation(answered):
        if len(added) >= wanted:
            break
        own = frame["context"].iloc[row]
        texts = [text.casefold() for text, _ in answers[row]]
        others = [c for c in paragraphs[_place(frame, row)] if c != own and not any(t in c.casefold() for t in texts)]
        if others:
            added.append(frame.iloc[row].copy())
            added[-1]["context"], added[-1]["answers"] = others[rng.integers(len(others))], "[]"
    if not added:
        return data.derive(frame, name="unanswerable", share=share, seed=seed)
    new = pd.DataFrame(added).reset_index(drop=True).astype(frame.dtypes.to_dict())
    new["id"] = np.arange(len(new)) + int(frame["id"].max()) + 1
    return data.derive(pd.concat([frame, new], ignore_index=True), name="unanswerable", share=share, seed=seed)


def _questions(article: Any, number: int, what: str) -> Iterator[tuple[str, str, str, str, str]]:
    try:
        title = str(article.get("title") or f"article {number}")
        for paragraph in article["paragraphs"]:
            context = cell_text(paragraph["context"])
            for question in paragraph["qas"]:
                yield (
                    cell_text(question["question"]),
                    context,
                    _answers(question),
                    title,
                    cell_text(question.get("id", "")),
                )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"Article {number} of {what} has not the form of SQuAD ({error}): give {_FORM}.") from error


def _answers(question: Mapping[str, Any]) -> str:
    if question.get("is_impossible"):
        return "[]"
    found = {(cell_text(a["text"]), int(a["answer_start"])): None for a in question.get("answers", [])}
    return json.dumps([{"text": text, "start": start} for text, start in found], ensure_ascii=False)


def _place(frame: pd.DataFrame, row: int) -> tuple[str, ...]:
    return tuple(str(frame[name].iloc[row]) for name in ("article", "split") if name in frame.columns)


def _paragraphs(frame: pd.DataFrame) -> dict[tuple[str, ...], list[str]]:
    """Return the distinct contexts of each article (and split), in their order."""
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for row, context in enumerate(frame["context"]):
        found.setdefault(_place(frame, row), {})[context] = None
    return {place: list(contexts) for place, contexts in found.items()}
