"""Texts to begin with where an analysis sets two against each other: a first text with one word changed, and opposite sets."""

from collections.abc import Sequence

from lmcore.analysis.counterfactual.candidates import single_edits
from lmcore.analysis.counterfactual.edit import columns_of, edited
from lmcore.analysis.counterfactual.methods import EDITS
from lmcore.data.dataset import TextDataset
from lmcore.data.text import is_chinese
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.tasks.classes import ClassTask
from lmcore.types import Input

READ = 1000
SHOWN_ROWS = 3
_WAYS: tuple[tuple[str, dict[str, object]], ...] = (
    ("entities", {}),
    ("negation", {}),
    ("replacement", {"words": "list"}),
    ("replacement", {"words": "neighbours"}),
    ("deletion", {}),
)
_OPPOSITES = {
    False: (
        ("I love this, it is wonderful.", "What a great and happy day!", "This is the best that I ever saw."),
        ("I hate this, it is terrible.", "What an awful and sad day!", "This is the worst that I ever saw."),
    ),
    True: (
        ("我很喜欢，真是太好了。", "今天过得非常愉快！", "这是我见过最好的。"),
        ("我很讨厌，真是太差了。", "今天过得非常糟糕！", "这是我见过最差的。"),
    ),
}


def second_text(loaded: LoadedModel, text: Input, *, as_long: bool = False) -> Input:
    """Return an input with one word changed: a name swapped, else a negation, else a word replaced, else one left out.

    Args:
        loaded: the model that reads both; its tokenizer counts, and its vocabulary has the last replacements.
        text: the input; only its first 1,000 characters are looked at.
        as_long: take an edit that leaves each text as many tokens, as patching needs.

    Returns:
        The changed input; the input itself where there is no such edit.
    """
    heads = {name: part[:READ] for name, part in columns_of(text).items()}
    plain = isinstance(text, str)
    for kind, options in _WAYS:
        kinds = {kind: EDITS[kind].check(options)}
        for edit in single_edits(heads[""] if plain else heads, kinds, seed=0, loaded=loaded):
            other = edited(text, [edit])
            if not as_long or _sizes(loaded, other) == _sizes(loaded, text):
                return other
    return text


def opposite_texts(text: str, data: TextDataset | None, label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return two small sets of texts to steer between.

    Args:
        text: what is steered; where nothing else is at hand, the sets are in its language, glad and angry.
        data: rows with classes, or None.
        label: the class whose rows are the first set; those of all others are the second.
    """
    if data is not None and isinstance(load_task(data.task), ClassTask):
        frame, texts = (
            data.frame,
            load_task(data.task).texts(data.frame).str.replace(r"\s+", " ", regex=True).str.strip(),
        )
        own = frame["label"] == label
        found = tuple(
            _shortest(texts[chosen & (texts != "")].tolist()) for chosen in (own, ~own & (frame["label"] != ""))
        )
        if all(found):
            return found[0], found[1]
    return _OPPOSITES[is_chinese(text)]


def _sizes(loaded: LoadedModel, text: Input) -> list[int]:
    return [len(loaded.tokenizer(part)["input_ids"]) for part in columns_of(text).values()]


def _shortest(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the shortest of the first hundred texts, in their order."""
    chosen = sorted(range(len(texts[:100])), key=lambda row: len(texts[row]))[:SHOWN_ROWS]
    return tuple(texts[row] for row in sorted(chosen))
