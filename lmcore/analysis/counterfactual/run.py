"""Looking for edits of a text that change what a model says of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lmcore.analysis.counterfactual.answers import probability
from lmcore.analysis.counterfactual.asking import Asker, Model, check_text
from lmcore.analysis.counterfactual.candidates import chosen_edits, single_edits
from lmcore.analysis.counterfactual.edit import edited, words_changed
from lmcore.analysis.counterfactual.fluency import check_decoder, mean_log_probabilities
from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals
from lmcore.analysis.counterfactual.search import Found, Search, Trial
from lmcore.errors import InputError, UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.methods import option, options_of
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.tasks.labelled import LabelTask
from lmcore.types import Input, Part, Prediction, Report, Silent

_MARGIN = 400


@dataclass(frozen=True)
class CounterfactualConfig:
    """What to look for.

    Attributes:
        edits: names of EDITS, each with its options, or names alone; None for all that the model allows.
        columns: which texts of the input are edited; all where empty.
        towards: the label that is to come out; empty for any other than the predicted one.
    """

    edits: Mapping[str, Mapping[str, Any]] | Sequence[str] | None = None
    columns: tuple[str, ...] = ()
    towards: str = ""
    budget: int = option(400, "Texts that the model is asked about, at most.", minimum=2, maximum=20_000)
    most_edits: int = option(5, "Edits that are made at once, at most.", minimum=1, maximum=12)
    beam: int = option(8, "Sets of one size that the beam search goes on with.", minimum=1, maximum=100)
    seed: int = option(0, "Of what is drawn: typos, homophones, other names.", minimum=0)

    def checked(self) -> "CounterfactualConfig":
        """Return the same with checked numbers.

        Raises:
            OptionError: a number is out of range.
        """
        values = {item.name: item.check(getattr(self, item.name)) for item in options_of(CounterfactualConfig)}
        return replace(self, columns=tuple(self.columns), **values)

    def wanted(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the edits with the options that were given, or None where none are named."""
        if self.edits is None or isinstance(self.edits, Mapping):
            return self.edits
        return {name: {} for name in ([self.edits] if isinstance(self.edits, str) else self.edits)}


def counterfactuals(
    model: Model,
    text: Input,
    config: CounterfactualConfig | None = None,
    *,
    decoder: LoadedModel | None = None,
    report: Report | None = None,
    **settings: Any,
) -> Counterfactuals:
    """Edit a text in many small ways, and find those, and the smallest set of them, that change the answer.

    First every single edit is tried. Where none of them changes the answer, the strongest ones are added up until it does,
    those that are not needed are taken out again (greedy), and sets of fewer edits are tried by beam search.

    Args:
        model: a loaded model with a head, or any function from inputs to predictions (`Prediction`, or objects with ``label``
            and ``probabilities``), such as `lmcore.serving.ask_server` gives for the running prediction server.
        text: what it reads: a text, or each of its texts by the column's name.
        config: what to look for; the default where None.
        decoder: a decoder that says how well the texts read; None leaves that out.
        report: progress and cancellation.
        **settings: fields of the configuration that differ from it, such as ``edits=["deletion"]`` or ``budget=100``.

    Raises:
        InputError: the text is empty or too long, has nothing that the edits change, or the model cannot work on it; an edit
            needs gradients that are not at hand.
        UnknownError: there is no such edit or label.
        OptionError: a setting is out of range.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    config = replace(config or CounterfactualConfig(), **settings).checked()
    check_text(text)
    check_decoder(decoder)
    loaded = model if isinstance(model, LoadedModel) else None
    asker = Asker(model, config.budget, Part(report, 0.0, 0.9))
    kinds = chosen_edits(config.wanted(), loaded, text)
    text, truncated = _readable(text, loaded)
    before = asker.one(text)
    _check_label(config.towards, before)
    edits = single_edits(
        text, kinds, seed=config.seed, columns=config.columns, prediction=before, loaded=loaded, towards=config.towards
    )
    if not edits:
        raise InputError(
            "The text has nothing that the chosen edits change: give one with more words, or choose other edits."
        )
    found = Search(asker, text, before, config.towards).run(edits, most_edits=config.most_edits, beam=config.beam)
    tried, minimal = _with_fluency(text, before, found, decoder, Part(report, 0.9, 1.0))
    parameters = asdict(replace(config, edits=None)) | {"edits": kinds, "columns": list(config.columns)}
    return Counterfactuals(
        text=text,
        prediction=before,
        tried=tuple(sorted(tried, key=lambda item: (not item.flips, *_falling(item)))),
        minimal=tuple(minimal),
        exhausted=found.exhausted,
        candidates=len(edits),
        asked=asker.asked,
        calls=asker.calls,
        budget=config.budget,
        failed=asker.failed,
        truncated=truncated,
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint if loaded else "", json.dumps(text, ensure_ascii=False), parameters),
    )


def _with_fluency(
    text: Input, before: Prediction, found: Found, decoder: LoadedModel | None, report: Report
) -> tuple[list[Counterfactual], list[Counterfactual]]:
    first = probability(before, before, same=True)
    tried, minimal = (
        [_counterfactual(text, trial, first) for trial in trials] for trials in (found.singles, found.smallest)
    )
    if decoder is None:
        return tried, minimal
    means = mean_log_probabilities(decoder, [text, *(item.text for item in (*tried, *minimal))], report)
    scored = [
        replace(item, fluency=float(mean - means[0])) for item, mean in zip([*tried, *minimal], means[1:], strict=True)
    ]
    return scored[: len(tried)], scored[len(tried) :]


def _counterfactual(text: Input, trial: Trial, first: float) -> Counterfactual:
    return Counterfactual(
        text=edited(text, trial.edits),
        edits=trial.edits,
        prediction=trial.prediction,
        flips=trial.flips,
        change=trial.probability - first,
        words=words_changed(text, trial.edits),
    )


def _falling(item: Counterfactual) -> tuple[float, int, tuple[Any, ...]]:
    return (item.change if item.change == item.change else -1.0, item.words, item.edits)


def _check_label(towards: str, before: Prediction) -> None:
    if towards and before.probabilities and "|" not in towards and towards not in before.probabilities:
        raise UnknownError("class", towards, before.probabilities)
    if towards and towards == before.label:
        raise InputError(f"The model says {towards} already: name another label, or none.")


def _readable(text: Input, loaded: LoadedModel | None) -> tuple[Input, bool]:
    """Return the part of a text that a model reads, with a margin for edits that make it shorter, and whether it was cut.

    Only a model that reads the beginning of a single text is known to pass over its rest; others get the whole.
    """
    if loaded is None or not isinstance(text, str):
        return text, False
    task = load_task(loaded.task)
    if not isinstance(task, LabelTask) or len(task.required()) > 1 or task.extra_tokens:
        return text, False
    out = loaded.tokenizer(
        text, truncation=True, max_length=loaded.max_length, return_offsets_mapping=True, return_overflowing_tokens=True
    )
    if len(out["input_ids"]) < 2:
        return text, False
    end = max(end for _, end in out["offset_mapping"][0]) + _MARGIN
    return text[:end], True
