"""Which tokens speak for and against an output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.integrated_gradients import Path, PathScores
from lmcore.analysis.methods import ATTRIBUTION
from lmcore.analysis.parity import check_parity
from lmcore.analysis.tokens import TextTokens, read_tokens
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.tasks import load_task
from lmcore.types import Target

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Attribution:
    """Scores of a text's tokens.

    Attributes:
        text_tokens: the text and its tokens; special tokens stay in the baseline, so that their scores are 0.
        scores: float32 of shape (tokens,), in logits; positive speaks for the target, negative against it.
        target: what is explained.
        method: the method's name.
        parameters: every option.
        value: the target's output for the text.
        baseline_value: the same for the baseline.
        completeness_error: by how much the scores' sum misses value − baseline_value, as a share of it.
        steps: points at which the model was differentiated.
        fingerprint: hash of weights, tokens, target, method and options.
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
    text: str,
    target: Target | None = None,
    *,
    method: str = "integrated_gradients",
    **options: object,
) -> Attribution:
    """Score the tokens of one text towards a target.

    Args:
        loaded: a model with a head.
        text: what it reads.
        target: what is explained; the predicted class where None.
        method: a name of the registry ATTRIBUTION.
        **options: the method's options.

    Raises:
        InputError: the text is empty, the model has no head, or it answers otherwise when it is given embeddings.
        UnknownError: there is no such method or class.
        OptionError: an option is out of range, or the tokenizer has no such baseline token.
    """
    return attribute_texts(loaded, [text], [target], method=method, **options)[0]


def attribute_texts(
    loaded: LoadedModel,
    texts: Sequence[str],
    targets: Sequence[Target | None] | None = None,
    *,
    method: str = "integrated_gradients",
    **options: object,
) -> list[Attribution]:
    """Score the tokens of many texts, in batches of like length; arguments and errors are those of `attribute`."""
    chosen = ATTRIBUTION[method]
    parameters = chosen.check(options)
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: choose a registered version.")
    read = read_tokens(loaded.tokenizer, texts, loaded.max_length)
    wanted = _targets(loaded, texts, targets)
    _check_targets(loaded, wanted)
    paths = [_path(loaded, tokens, parameters["baseline"]) for tokens in read]
    _check_embeddings(loaded, read, paths)
    settings = {name: value for name, value in parameters.items() if name != "baseline"}
    found: list[PathScores] = chosen.load()(_objective(loaded, wanted), paths, **settings)
    return [
        Attribution(
            text_tokens=tokens,
            scores=scores.scores.astype(np.float32),
            target=target,
            method=method,
            parameters=parameters,
            value=scores.value,
            baseline_value=scores.baseline_value,
            completeness_error=scores.completeness_error,
            steps=scores.steps,
            fingerprint=fingerprint(loaded.fingerprint, tokens.ids.tolist(), str(target), method, parameters),
        )
        for tokens, target, scores in zip(read, wanted, found, strict=True)
    ]


def _targets(loaded: LoadedModel, texts: Sequence[str], targets: Sequence[Target | None] | None) -> list[Target]:
    given = list(targets) if targets is not None else [None] * len(texts)
    missing = [text for text, target in zip(texts, given, strict=True) if target is None]
    predicted = iter(predict_texts(loaded, missing)) if missing else iter(())
    task = load_task(loaded.task)
    return [target or task.targets(next(predicted))[0] for target in given]


def _check_targets(loaded: LoadedModel, targets: Sequence[Target]) -> None:
    """Refuse a class that the model does not know before any work is done."""
    import torch

    task, nothing = load_task(loaded.task), torch.zeros(1, len(loaded.labels))
    for target in set(targets):
        task.objective(nothing, target, loaded.labels)


def _check_embeddings(loaded: LoadedModel, read: Sequence[TextTokens], paths: Sequence[Path]) -> None:
    """Compare, on the shortest text, the outputs for its tokens with those for its embeddings."""
    import torch

    if not read:
        return
    shortest = min(range(len(read)), key=lambda n: len(read[n].ids))
    ids = torch.from_numpy(read[shortest].ids)[None].to(loaded.device)
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        plain = loaded.model(input_ids=ids, attention_mask=mask).logits
        embedded = loaded.model(inputs_embeds=paths[shortest].x[None], attention_mask=mask).logits
    check_parity(loaded, plain, embedded, "embeddings in place of tokens")


def _path(loaded: LoadedModel, tokens: TextTokens, baseline: str) -> Path:
    import torch

    embed = loaded.model.get_input_embeddings()
    ids = torch.from_numpy(tokens.ids).to(loaded.device)
    special = torch.from_numpy(tokens.special).to(loaded.device)
    with torch.no_grad():
        x = embed(ids)
        if baseline == "zero":
            base = torch.zeros_like(x)
        else:
            base = embed(torch.full_like(ids, _baseline_token(loaded.tokenizer, baseline)))
        return Path(x, torch.where(special[:, None], x, base))


def _baseline_token(tokenizer: Any, baseline: str) -> int:
    token = tokenizer.pad_token_id if baseline == "pad" else tokenizer.mask_token_id
    if token is None:
        raise OptionError(f"This model's tokenizer has no {baseline} token: choose another baseline.")
    return int(token)


def _objective(
    loaded: LoadedModel, targets: Sequence[Target]
) -> "Callable[[torch.Tensor, np.ndarray, np.ndarray], torch.Tensor]":
    import torch

    task = load_task(loaded.task)

    def objective(inputs: "torch.Tensor", numbers: np.ndarray, lengths: np.ndarray) -> "torch.Tensor":
        places = np.arange(inputs.shape[1])[None, :] < lengths[:, None]
        mask = torch.from_numpy(places.astype(np.int64)).to(inputs.device)
        logits = loaded.model(inputs_embeds=inputs, attention_mask=mask).logits.float()
        values = [task.objective(logits[i : i + 1], targets[n], loaded.labels)[0] for i, n in enumerate(numbers)]
        return torch.stack(values)

    return objective
