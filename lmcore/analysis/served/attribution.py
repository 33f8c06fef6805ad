"""Explaining what the running prediction server says: black-box methods that only ask it about changed texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmcore.analysis.attribution.cost import calls_of, game_options
from lmcore.analysis.attribution.games import play
from lmcore.analysis.attribution.methods import ATTRIBUTION, DROP, is_black_box
from lmcore.analysis.attribution.paths import SMALL
from lmcore.analysis.served.asking import Asking, Client
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.types import Input, Report, Target


@dataclass(frozen=True, eq=False)
class ServedAttribution:
    """Scores of a text's words towards a part of what a server answers.

    Attributes:
        units: ``column``, ``unit``, ``start``, ``end`` (characters) and ``score``: by how much the unit raises the target's
            value.
        target: what is explained; its value is the probability of a class, that of a stretch where the same words are found
            again, or 1 where the same words are written again, less that of the one it is held against.
        text: what was asked about.
        method: the method's name.
        parameters: every option.
        value: for the text as it is.
        baseline_value: with every unit taken away.
        completeness_error: see `lmcore.analysis.Attribution`.
        calls: how many texts the server was asked about.
        version: the model that answered.
        answer: what it says to the text.
        fingerprint: hash of version, text, target, method and options.
    """

    units: pd.DataFrame
    target: Target
    text: Input
    method: str
    parameters: Mapping[str, Any]
    value: float
    baseline_value: float
    completeness_error: float
    calls: int
    version: str
    answer: Mapping[str, Any]
    fingerprint: str

    @property
    def label(self) -> str:
        """The class, the stretch's label or the words that are explained."""
        return self.target.label

    @property
    def against(self) -> str:
        """What it is held against, or empty."""
        return self.target.against

    def to_frame(self) -> pd.DataFrame:
        """Return the units."""
        return self.units


def attribute_served(
    client: Client,
    text: Input,
    target: Target | str | None = None,
    *,
    against: str = "",
    method: str = "occlusion",
    report: Report | None = None,
    **options: object,
) -> ServedAttribution:
    """Score the words of a text by what a server says to the text without them.

    Nothing but texts goes to the server, so units are words, phrases or sentences, and what is taken away is left out of the
    text; of a column with nothing left a full stop is sent.

    Args:
        client: sends texts and returns ``{"predictions": […]}``; see `lmcore.serving.server_client`.
        text: a text, or each of the columns that the server's model reads.
        target: what is explained: one of `lmcore.analysis.served.targets.served_targets`, a class or label by its name, or
            words of what was written; what the server says first where None.
        against: the class that it is held against.
        method: a black-box method of the registry ATTRIBUTION.
        report: progress and cancellation.
        **options: the method's options; ``baseline`` is always ``drop``.

    Raises:
        InputError: the text has no words, or the server says nothing of it that could be explained.
        OptionError: the method needs gradients, or an option is out of range.
        UnknownError: there is no such class.
        ServerError: the server did not answer as it should, or its model changed meanwhile.
        Cancelled: the report asked to stop.
    """
    parameters = served_options(method, options)
    return attribution_of(Asking(client, text, parameters["unit"], target, against), method, parameters, report)


def attribution_of(
    asking: Asking, method: str, parameters: Mapping[str, Any], report: Report | None = None
) -> ServedAttribution:
    """Score the units of a text that was asked about already; ``parameters`` has every option of the method."""
    tree = asking.tree
    game = ATTRIBUTION[method].load()(tree, **game_options(parameters))
    calls = calls_of(method, tree, parameters)
    (played,) = play([game], [len(asking.units)], asking, calls=calls, report=report)
    difference = float(played.value[0] - played.nothing[0])
    missed = abs(float(played.scores.sum()) - difference) / max(abs(difference), SMALL)
    frame = pd.DataFrame(asking.units, columns=["column", "unit", "start", "end"]).assign(score=played.scores[:, 0])
    named = asking.text if isinstance(asking.text, str) else dict(asking.text)
    return ServedAttribution(
        frame, asking.target, asking.text, method, parameters, float(played.value[0]), float(played.nothing[0]),
        missed if played.adds_up else float("nan"), played.calls, asking.version, asking.answer,
        fingerprint(asking.version, str(named), str(asking.target), method, dict(parameters)),
    )  # fmt: skip


def served_calls(text: Input, *, method: str = "occlusion", **options: object) -> int:
    """Return about how many texts a server is asked about; it is asked nothing.

    Raises:
        InputError: the text has no words.
        OptionError: the method needs gradients, or an option is out of range.
    """
    parameters = served_options(method, options)
    silent = {"label": "-", "probabilities": {"-": 1.0}, "version": ""}
    asking = Asking(lambda texts: {"predictions": [silent] * len(texts)}, text, parameters["unit"])
    return 2 + calls_of(method, asking.tree, parameters)


def served_options(method: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Return every option of a method as a server can be asked with it.

    Raises:
        OptionError: the method needs gradients, or an option is out of range.
    """
    if not is_black_box(method):
        names = ", ".join(name for name in ATTRIBUTION if is_black_box(name))
        raise OptionError(f"{method} needs the model itself: through a server take one of {names}.")
    return ATTRIBUTION[method].check({**options, "baseline": DROP})
