"""Which tokens speak for and against an output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.integrated_gradients import Path, PathScores
from lmcore.analysis.methods import ATTRIBUTION
from lmcore.analysis.runs import check_embeddings, embedding_objective, token_embeddings
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Target


@dataclass(frozen=True, eq=False)
class Attribution:
    """Scores of a text's tokens.

    Attributes:
        text_tokens: everything that the model reads, its own output up to the target included; special tokens and a
            decoder's template stay in the baseline, so that their scores are 0.
        scores: float32 of shape (tokens,), in the unit of the target (logits, or nats for a phrase); positive speaks for
            the target, negative against it.
        target: what is explained.
        method: the method's name.
        parameters: every option.
        value: the target's output for the text.
        baseline_value: the same for the baseline.
        completeness_error: by how much the scores' sum misses value − baseline_value, as a share of it.
        steps: points at which the model was differentiated.
        fingerprint: hash of weights, tokens, target, method and options.
        output: what the model wrote, for a target in it.
    """

    text_tokens: TextTokens
    scores: np.ndarray
    target: Target
    method: str
    parameters: Mapping[str, Any]
    value: float
    baseline_value: float
    completeness_error: float
    steps: int
    fingerprint: str
    output: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens as they are shown."""
        return self.text_tokens.tokens

    @property
    def truncated(self) -> bool:
        """Whether only the beginning of the text was read."""
        return self.text_tokens.truncated

    def by_word(self) -> pd.DataFrame:
        """Return ``word``, ``start``, ``end`` and ``score``, the sum over its tokens."""
        return self.text_tokens.sum_by_word(self.scores)

    def to_frame(self) -> pd.DataFrame:
        """Return ``token``, ``start``, ``end`` and ``score``."""
        start, end = self.text_tokens.offsets.T
        return pd.DataFrame({"token": self.tokens, "start": start, "end": end, "score": self.scores})


def attribute(
    loaded: LoadedModel,
    text: Input,
    target: Target | None = None,
    *,
    method: str = "integrated_gradients",
    output: str | None = None,
    **options: object,
) -> Attribution:
    """Score the tokens of one text towards a target.

    Args:
        loaded: a model with a head.
        text: what it reads: a text, or each of the columns that its task reads.
        target: what is explained; what the model predicts where None.
        method: a name of the registry ATTRIBUTION.
        output: for a model that writes, the text that is explained as if it had written it; its own where None.
        **options: the method's options.

    Raises:
        InputError: the text is empty, the model has no head, or it answers otherwise when it is given embeddings; or the
            target has no place in what the model reads or writes.
        UnknownError: there is no such method or class.
        OptionError: an option is out of range, or the tokenizer has no such baseline token.
    """
    outputs = None if output is None else [output]
    return attribute_texts(loaded, [text], [target], method=method, outputs=outputs, **options)[0]


def attribute_texts(
    loaded: LoadedModel,
    texts: Sequence[Input],
    targets: Sequence[Target | None] | None = None,
    *,
    method: str = "integrated_gradients",
    outputs: Sequence[str] | None = None,
    **options: object,
) -> list[Attribution]:
    """Score the tokens of many texts, in batches of like length; arguments and errors are those of `attribute`."""
    chosen = ATTRIBUTION[method]
    parameters = chosen.check(options)
    wanted = ask(loaded, texts, targets, outputs)
    readings, chosen_targets = [w.reading for w in wanted], [w.target for w in wanted]
    check_embeddings(loaded, readings)
    paths = [_path(loaded, reading, parameters["baseline"]) for reading in readings]
    settings = {name: value for name, value in parameters.items() if name != "baseline"}
    found: list[PathScores] = chosen.load()(embedding_objective(loaded, readings, chosen_targets), paths, **settings)
    return [
        Attribution(
            text_tokens=each.reading.tokens,
            scores=scores.scores.astype(np.float32),
            target=each.target,
            method=method,
            parameters=parameters,
            value=scores.value,
            baseline_value=scores.baseline_value,
            completeness_error=scores.completeness_error,
            steps=scores.steps,
            fingerprint=fingerprint(
                loaded.fingerprint, each.reading.tokens.ids.tolist(), str(each.target), method, parameters
            ),
            output=each.output,
        )
        for each, scores in zip(wanted, found, strict=True)
    ]


def _path(loaded: LoadedModel, reading: Reading, baseline: str) -> Path:
    """Return the way from the baseline to a reading; tokens that stand for no text of it stay as they are."""
    import torch

    special = torch.from_numpy(reading.tokens.special).to(loaded.device)
    with torch.no_grad():
        x = token_embeddings(loaded, reading)
        if baseline == "zero":
            base = torch.zeros_like(x)
        else:
            ids = torch.full((len(reading),), _baseline_token(loaded.tokenizer, baseline), device=loaded.device)
            base = token_embeddings(loaded, reading, ids)
        return Path(x, torch.where(special[:, None], x, base))


def _baseline_token(tokenizer: Any, baseline: str) -> int:
    token = tokenizer.pad_token_id if baseline == "pad" else tokenizer.mask_token_id
    if token is None:
        raise OptionError(f"This model's tokenizer has no {baseline} token: choose another baseline.")
    return int(token)
