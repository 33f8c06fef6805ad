"""What tasks share that give each word a tag: reading tags, alignment of words with sub-words, reading outputs."""

import json
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import DataError, UnknownError
from lmcore.tasks.base import Column, Task
from lmcore.tasks.bio import (
    OUTSIDE,
    Place,
    cut_words,
    spaced_words,
    spans_of,
    split_tags,
    strange_tag,
    stretches,
    tags_of,
    to_bio,
    written_spans,
)
from lmcore.tasks.labelled import label_logits
from lmcore.tasks.teaching import token_lessons
from lmcore.types import Prediction, Span, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.outcomes import Outcomes

PASSED_OVER = 200
UNIGRAM, ALL_OUTSIDE = "most frequent tag of each word", "no tag at all"


class TaggingTask(Task):
    """A BIO tag for each word; words stand in ``text``, tags in ``tags``, both joined by single spaces."""

    editable = False
    text_column: ClassVar[Column] = Column(
        "text",
        "the words, separated by spaces",
        ("text", "tokens", "words", "sentence", "utterance", "seq.in", "seq_in", "文本", "句子"),
    )
    tags_column: ClassVar[Column] = Column(
        "tags",
        "a tag for each word, such as O, B-place, I-place",
        ("tags", "ner_tags", "ner", "slots", "labels", "tag", "seq.out", "seq_out", "标签", "标注"),
        role="tags",
    )

    @abstractmethod
    def tag_names(self, labels: Sequence[str]) -> list[str]:
        """Return those of a model's labels that are tags, in the order of its outputs."""

    def canonical(self, frame: "pd.DataFrame", what: str) -> "pd.DataFrame":
        """Join words and tags by single spaces, and mend tags of any known scheme to BIO.

        Lists in JSON are read too, and Chinese text without spaces is cut into its characters. Where no row has tags yet,
        every text is cut into words as it is when a model is asked.

        Raises:
            DataError: a row has not as many tags as words, or a tag of no known scheme; the message names it.
        """
        untagged = not any(tags.strip() for tags in frame["tags"])
        cells = [
            (_cut(text), "") if untagged else _read_row(text, tags, f"Row {row + 1} of {what}")
            for row, text, tags in zip(frame["id"], frame["text"], frame["tags"], strict=True)
        ]
        return frame.assign(text=[text for text, _ in cells], tags=[tags for _, tags in cells])

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse rows whose tags do not fit their words, and rows of which a model knows no tag at all.

        A tag that the model has not learnt counts as missed, it is not refused: rare types are often in test alone.
        """
        seen: set[str] = set()
        for row, text, tags in zip(frame["id"], frame["text"], frame["tags"], strict=True):
            _check_tags(len(spaced_words(text)), split_tags(tags), f"Row {row + 1}")
            seen.update(to_bio(split_tags(tags)))
        seen.discard(OUTSIDE)
        if labels is None and not seen:
            raise DataError(f"{what} has no tag but {OUTSIDE}: there is nothing to learn; tag some words.")
        known = set(self.tag_names(labels or ()))
        if labels is not None and seen and not seen & known:
            raise DataError(
                f"{what} has no tag that the model knows; it knows: {', '.join(sorted(known - {OUTSIDE}))}."
            )

    def tags_in(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct tags, O first, the others sorted."""
        found = {tag for tags in frame["tags"] for tag in to_bio(split_tags(tags))}
        return (OUTSIDE, *sorted(found - {OUTSIDE}))

    def places(self, frame: "pd.DataFrame") -> list[list[Place]]:
        """Return where the words of each row stand: between spaces where rows carry tags, else cut as is usual."""
        cut = spaced_words if "tags" in frame.columns else cut_words
        return [cut(text) for text in frame["text"]]

    def gold_spans(self, frame: "pd.DataFrame") -> list[tuple[Span, ...]]:
        """Return the stretches that the rows' tags mark."""
        return [
            spans_of(split_tags(tags), places) for tags, places in zip(frame["tags"], self.places(frame), strict=True)
        ]

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the words in windows; a tag is learnt at the first sub-word of its word."""
        from lmcore.models.windows import encode_words

        numbers = None if labels is None else self._numbers(frame, labels)
        return encode_words(tokenizer, frame["text"].tolist(), self.places(frame), max_length, numbers)

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with a tag for each word: those of the stretches that were found, or others.

        Words stay as spaces set them apart where every stretch begins and ends with one; else the text is cut as is usual.

        Raises:
            DataError: the answer has not a tag for each word, or one of no known scheme.
        """
        text = str(frame["text"].iloc[0])
        places = _words_of(text, said.spans)
        tags = split_tags(answer) if answer else _tags_of_spans(places, said.spans)
        _check_tags(len(places), tags, "The text")
        return frame.assign(text=" ".join(text[start:end] for start, end in places), tags=" ".join(tags))

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return how many words of each window have a tag that the model knows."""
        return token_lessons(encodings)

    def written_answers(self, frame: "pd.DataFrame") -> list[str]:
        """Return the stretches that the rows' tags mark."""
        return [written_spans(text, spans) for text, spans in zip(frame["text"], self.gold_spans(frame), strict=True)]

    def written_answer(self, frame: "pd.DataFrame", said: Prediction) -> str:
        """Return the stretches that were found."""
        return written_spans(str(frame["text"].iloc[0]), said.spans) or "nothing found"

    def read_tags(
        self, outputs: Sequence[np.ndarray], places: Sequence[Sequence[Place]], tags: Sequence[str]
    ) -> list[tuple[tuple[Span, ...], float]]:
        """Turn logits of each row's words, shape (words, tags), into stretches.

        Returns:
            For each row the stretches, and the probability of the tag that the model is least sure of, 0 to 1.
        """
        found = []
        for logits, where in zip(outputs, places, strict=True):
            read = ~np.isnan(logits).any(axis=1)
            shifted = np.exp(logits[read] - logits[read].max(axis=1, keepdims=True, initial=-np.inf))
            probabilities = shifted / shifted.sum(axis=1, keepdims=True)
            words = [place for place, kept in zip(where, read, strict=True) if kept]
            best = [tags[number] for number in probabilities.argmax(axis=1)] if len(words) else []
            sure = probabilities.max(axis=1, initial=0.0)
            found.append((spans_of(best, words, sure.tolist()), float(sure.min(initial=1.0))))
        return found

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return the tag at the beginning of each stretch that was found, alone and against no tag."""
        found = []
        for span in prediction.spans:
            tag = f"B-{span.label}"
            found += [
                Target("tag", tag, span.start, span.end),
                Target("tag", tag, span.start, span.end, against=OUTSIDE),
            ]
        return found

    def passed_over(self, prediction: Prediction, read: str) -> list[Target]:
        """Return no tag at each word outside the stretches that were found; of a long text at the first 200 such words."""
        within = {place for span in prediction.spans for place in range(span.start, span.end)}
        words = (
            place
            for place in cut_words(read)
            if any(map(str.isalnum, read[slice(*place)])) and within.isdisjoint(range(*place))
        )
        return [Target("tag", OUTSIDE, start, end) for start, end in islice(words, PASSED_OVER)]

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return the logit of a tag at the first token of a stretch, less that of the tag it is held against.

        Raises:
            UnknownError: the model has no such tag.
            InputError: no token stands there.
        """
        place = int(reading.within(target.start, target.end)[0])
        return label_logits(out.logits[:, place], target, tuple(self.tag_names(loaded.labels)))

    def rivals(self, loaded: "LoadedModel", target: Target) -> tuple[str, ...]:
        """Return the tags: each word has exactly one."""
        return tuple(self.tag_names(loaded.labels))

    def outcomes(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "Outcomes":
        """Return the tags of each token that stands for a part of the text.

        Raises:
            UnknownError: the model has no such tag.
            InputError: no token stands where the target does.
        """
        from lmcore.tasks.outcomes import Outcomes

        tags = tuple(self.tag_names(loaded.labels))
        if target.label not in tags:
            raise UnknownError("tag", target.label, tags)
        places = np.flatnonzero(~reading.tokens.special)
        wanted = np.where(places == reading.within(target.start, target.end)[0], tags.index(target.label), -1)
        shown = tuple(reading.tokens.tokens[place] for place in places)
        return Outcomes(out.logits[:, places.tolist()], shown, places, tags, wanted)

    def unigram_spans(self, train: "pd.DataFrame", test: "pd.DataFrame") -> list[tuple[Span, ...]]:
        """Return what comes of giving each word its most frequent tag in training, and O where it is new."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for text, tags in zip(train["text"], train["tags"], strict=True):
            for (start, end), tag in zip(spaced_words(text), to_bio(split_tags(tags)), strict=True):
                counts[text[start:end]][tag] += 1
        best = {word: min(tags, key=lambda tag: (-tags[tag], tag)) for word, tags in counts.items()}
        return [
            spans_of([best.get(text[start:end], OUTSIDE) for start, end in places], places)
            for text, places in zip(test["text"], self.places(test), strict=True)
        ]

    def _numbers(self, frame: "pd.DataFrame", labels: Sequence[str]) -> list[list[int]]:
        """Return the number of each word's tag, -100 for one that is not among the labels."""
        from lmcore.models.encode import IGNORED

        index = {tag: number for number, tag in enumerate(self.tag_names(labels))}
        return [[index.get(tag, IGNORED) for tag in to_bio(split_tags(tags))] for tags in frame["tags"]]


def kinds_of(tags: str) -> list[str]:
    """Return the type of each stretch of a row."""
    return [kind for *_, kind in stretches(split_tags(tags))]


def _words_of(text: str, spans: Sequence[Span]) -> list[Place]:
    """Return where the words of a text stand that stretches were found in."""
    spaced, cut = spaced_words(text), cut_words(text)
    starts, ends = {start for start, _ in spaced}, {end for _, end in spaced}
    whole = all(span.start in starts and span.end in ends for span in spans)
    return spaced if whole and 2 * len(spaced) > len(cut) else cut  # Chinese without spaces would be one word


def _tags_of_spans(places: Sequence[Place], spans: Sequence[Span]) -> list[str]:
    inside = [[n for n, (start, end) in enumerate(places) if start < span.end and end > span.start] for span in spans]
    marked = [(own[0], own[-1] + 1, span.label) for own, span in zip(inside, spans, strict=True) if own]
    return tags_of(marked, len(places))


def _read_row(text: str, tags: str, row: str) -> tuple[str, str]:
    words, given = _items(text), _items(tags)
    if not given:
        return " ".join(words) if len(words) > 1 else _cut(text), ""
    if len(words) != len(given) and len(cut_words(text)) == len(given):
        words = [text[start:end] for start, end in cut_words(text)]
    _check_tags(len(words), given, row)
    return " ".join(words), " ".join(to_bio(given))


def _cut(text: str) -> str:
    """Return the words of a text that nobody has cut yet; a JSON list says itself which they are."""
    listed = _listed(text)
    if listed is not None:
        return " ".join(listed)
    return " ".join(text[start:end] for start, end in cut_words(text))


def _items(cell: str) -> list[str]:
    """Return what a cell lists: a JSON list, or items between white space."""
    listed = _listed(cell)
    if listed is not None:
        return listed
    return [item for item in cell.replace("\t", " ").replace("\r", " ").replace("\n", " ").split(" ") if item]


def _listed(cell: str) -> list[str] | None:
    """Return the items of a JSON list, or None where the cell is none."""
    if not cell.startswith("["):
        return None
    try:
        listed = json.loads(cell)
    except ValueError:
        return None
    if not isinstance(listed, list) or not all(isinstance(item, str | int) for item in listed):
        return None
    return ["\u00a0".join(str(item).split()) or "\u00a0" for item in listed]


def _check_tags(words: int, tags: Sequence[str], row: str) -> None:
    if words != len(tags):
        raise DataError(
            f"{row} has {words} word{'s' * (words != 1)} and {len(tags)} tag{'s' * (len(tags) != 1)}: give one tag for "
            "each word, both separated by spaces."
        )
    strange = strange_tag(tags)
    if strange is not None:
        raise DataError(
            f"{row} has the tag {strange[:40]!r}, which is of no known scheme: write O outside, and B-TYPE and I-TYPE "
            "at the first and further words of a stretch (IOB1, BIOES and BILOU are read too)."
        )
