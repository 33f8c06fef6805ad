"""HotFlip (Ebrahimi et al. 2018): words swapped for those that the gradient holds most against the answer."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.counterfactual.lexicon import written_like
from lmcore.analysis.counterfactual.source import Change, EditSource, Word
from lmcore.analysis.counterfactual.vocabulary import Vocabulary, word_vocabulary
from lmcore.analysis.parity import check_parity
from lmcore.analysis.room import check_room
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens, read_tokens
from lmcore.tasks import load_task
from lmcore.tasks.labelled import LabelTask
from lmcore.tasks.multilabel import THRESHOLD, read_labels

if TYPE_CHECKING:
    import torch


def has_gradients(loaded: LoadedModel | None, text_columns: int = 1) -> bool:
    """Say whether HotFlip can look into a model: it is at hand, reads one text, and gives that a label."""
    if loaded is None or text_columns > 1 or not loaded.task:
        return False
    return isinstance(load_task(loaded.task), LabelTask)


def gradient_flips(source: EditSource, rng: np.random.Generator, *, most: int = 24, per_word: int = 3) -> list[Change]:
    """Swap words that are one token for the words that lower the answer's logit most, by the first-order estimate.

    The estimate of a swap is the gradient at the token times the step between the two embeddings. Tokens are swapped for
    tokens in the same script, and for whole words alone, so that the text reads as the model read it.

    Args:
        source: the text, with the model and its prediction.
        rng: not used: nothing is drawn.
        most: swaps altogether, those with the largest estimate.
        per_word: swaps of one word, at most.

    Raises:
        InputError: the model's gradients are not at hand.
    """
    loaded = source.loaded
    if loaded is None or not has_gradients(loaded) or source.prediction is None:
        raise InputError(
            "HotFlip needs the gradients of a model that gives a text a label: choose a registered version of such a task, "
            "or other edits."
        )
    read = read_tokens(loaded.tokenizer, [source.text], loaded.max_length)[0]
    vocabulary = word_vocabulary(loaded)
    placed = _single_tokens(source.words, read, vocabulary)
    if not placed:
        return []
    gradient, embeddings = _gradient(loaded, read, source)
    estimates = _estimates(loaded, vocabulary, gradient, embeddings, [token for _, token in placed])
    return _best(placed, estimates, vocabulary, read, most, per_word)


def _single_tokens(words: list[Word], read: TextTokens, vocabulary: Vocabulary) -> list[tuple[Word, int]]:
    """Return the words, and Chinese characters, that are one token, with the token's place."""
    known = set(vocabulary.ids.tolist())
    found = []
    for number, ((start, end), token) in enumerate(zip(read.offsets.tolist(), read.ids.tolist(), strict=True)):
        if token not in known or read.special[number]:
            continue
        start += len(read.text[start:end]) - len(read.text[start:end].lstrip())
        inside = next((word for word in words if word.start <= start and end <= word.end), None)
        if inside is not None and ((inside.start, inside.end) == (start, end) or inside.is_chinese):
            found.append((Word(start, end, read.text[start:end]), number))
    return found


def _gradient(loaded: LoadedModel, read: TextTokens, source: EditSource) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the gradient of what is to fall with respect to each token's embedding, and those, (tokens, features)."""
    import torch

    check_room(loaded, len(read.ids), gradients=True)
    ids = torch.from_numpy(read.ids)[None].to(loaded.device)
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        plain = loaded.model(input_ids=ids, attention_mask=mask).logits
    with torch.enable_grad():
        embeddings = loaded.model.get_input_embeddings()(ids).detach().clone().requires_grad_(True)
        logits = loaded.model(inputs_embeds=embeddings, attention_mask=mask).logits.float()
        check_parity(loaded, plain, logits.detach(), "embeddings in place of tokens")
        (gradient,) = torch.autograd.grad(_falling(loaded, logits[0], source), embeddings)
    return gradient[0], embeddings.detach()[0]


def _falling(loaded: LoadedModel, logits: Any, source: EditSource) -> "torch.Tensor":
    """Return the scalar that has to fall for another answer: the label's logit less that of its nearest rival.

    Where labels do not exclude each other, it is the logit of the label that is nearest to its threshold, turned so that
    falling changes it.
    """
    task, labels = load_task(loaded.task), list(loaded.labels)
    wanted = labels.index(source.towards) if source.towards in labels else None
    if isinstance(task, LabelTask) and not task.exclusive:
        given = set(read_labels(source.prediction.label)) if source.prediction else set()
        threshold = float(getattr(loaded.model.config, "label_threshold", THRESHOLD))
        edge = math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else 0.0
        nearest = int((logits.detach() - edge).abs().argmin()) if wanted is None else wanted
        value: torch.Tensor = logits[nearest] if labels[nearest] in given else -logits[nearest]
        return value
    own = labels.index(source.prediction.label) if source.prediction else int(logits.detach().argmax())
    rivals = logits.detach().clone()
    rivals[own] = float("-inf")
    difference: torch.Tensor = logits[own] - logits[int(rivals.argmax()) if wanted is None else wanted]
    return difference


def _estimates(
    loaded: LoadedModel, vocabulary: Vocabulary, gradient: Any, embeddings: Any, tokens: list[int]
) -> np.ndarray:
    """Return by how much each swap changes what has to fall, to first order, float64 of shape (tokens, words)."""
    import torch

    with torch.inference_mode():
        rows = torch.from_numpy(vocabulary.ids).to(loaded.device)
        words = loaded.model.get_input_embeddings()(rows)
        slopes = gradient[tokens]
        found: np.ndarray = (
            (slopes @ words.T - (slopes * embeddings[tokens]).sum(dim=1, keepdim=True)).double().cpu().numpy()
        )
    return found


def _best(
    placed: list[tuple[Word, int]],
    estimates: np.ndarray,
    vocabulary: Vocabulary,
    read: TextTokens,
    most: int,
    per_word: int,
) -> list[Change]:
    ranked: list[tuple[float, Change]] = []
    for (word, token), values in zip(placed, estimates, strict=True):
        own = vocabulary.ids == read.ids[token]
        allowed = (vocabulary.chinese == bool(vocabulary.chinese[own][0])) & ~own
        order = np.argsort(np.where(allowed, values, np.inf), kind="stable")[:per_word]
        for n in order[values[order] < 0]:
            if allowed[n]:
                change = Change(word.start, word.end, written_like(word.text, vocabulary.words[n]))
                ranked.append((float(values[n]), change))
    return [change for _, change in sorted(ranked)[:most]]
