"""Writing texts: the one place where models decode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.models.decoding import Decoding
from lmcore.models.encode import Encodings, length_sorted_batches, pad_batch
from lmcore.models.load import LoadedModel
from lmcore.types import Part, Report, Silent, count_of

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 32
_LOGIT_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote from one input.

    Attributes:
        text: without special tokens and without white space at its ends.
        score: mean probability that the model gives to each of its tokens, the end included, 0 to 1.
        tokens: their number, the end included.
        finished: whether it came to its own end before the limit.
        ids: its tokens, the end included.
    """

    text: str
    score: float
    tokens: int
    finished: bool
    ids: tuple[int, ...] = ()


def write_texts(
    loaded: LoadedModel,
    encodings: Encodings,
    decoding: Decoding | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> list[Written]:
    """Write a text from each input, in batches of like length.

    An encoder-decoder answers its input; a decoder goes on from it, and is padded on the left. The same model, inputs
    and settings give the same texts; the global random state is left as it was.

    Args:
        loaded: a model that writes.
        encodings: what it reads, one window a text.
        decoding: how it writes; None takes the model's own way.
        batch_size: inputs in one pass.
        report: progress and cancellation.

    Returns:
        One text a window, in their order.

    Raises:
        OptionError: a setting of the decoding is out of range.
        Cancelled: the report asked to stop.
    """
    import torch

    decoding = (decoding or loaded.decoding).checked()
    report = report or Silent()
    found: list[Written | None] = [None] * len(encodings)
    done = 0
    with torch.random.fork_rng(devices=[loaded.device] if loaded.device.startswith("cuda") else []):
        torch.manual_seed(decoding.seed)
        for rows in length_sorted_batches(encodings.lengths, batch_size):
            report.check()
            part = Part(report, done / len(encodings), (done + len(rows)) / len(encodings))
            for row, item in zip(rows, _write(loaded, [encodings.ids[r] for r in rows], decoding, part), strict=True):
                found[row] = item
            done += len(rows)
            report.progress(done / len(encodings), f"{done} of {len(encodings)} texts written")
    return [item for item in found if item is not None]


def _write(loaded: LoadedModel, ids: Sequence[Sequence[int]], decoding: Decoding, report: Report) -> list[Written]:
    """Write one batch, telling the report of every token."""
    import torch
    from transformers import StoppingCriteriaList

    model, tokenizer = loaded.model, loaded.tokenizer
    encoder_decoder = bool(model.config.is_encoder_decoder)
    batch = pad_batch(tokenizer, ids, loaded.device, left=not encoder_decoder)
    width = int(batch["input_ids"].shape[1])
    room = loaded.max_length if encoder_decoder else max(1, loaded.max_length - width)
    ends = _ends(model, tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    most = min(decoding.max_new_tokens, room)
    generation = decoding.to_generation(most, pad=pad, end=ends or None)
    begun = 1 if encoder_decoder else width

    def go_on(tokens: "torch.Tensor", *_: object, **__: object) -> bool:
        report.check()
        written = int(tokens.shape[1]) - begun
        report.progress(written / most, f"{written} of at most {count_of(most, 'token')} written")
        return False

    with torch.inference_mode():
        out = model.generate(**batch, generation_config=generation, stopping_criteria=StoppingCriteriaList([go_on]))
    new = out[:, 1:] if encoder_decoder else out[:, width:]
    rows = [_until_end(row, ends) for row in new.tolist()]
    scores = _mean_probabilities(loaded, batch, rows)
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [
        Written(text.strip(), score, len(row), bool(row) and row[-1] in ends, tuple(row))
        for text, score, row in zip(texts, scores, rows, strict=True)
    ]


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end a text: the model's own, or else the tokenizer's."""
    noted = getattr(model.generation_config, "eos_token_id", None)
    noted = tokenizer.eos_token_id if noted is None else noted
    return [] if noted is None else [noted] if isinstance(noted, int) else list(noted)


def _until_end(row: list[int], ends: Sequence[int]) -> list[int]:
    """Return the tokens up to the first end, with it."""
    place = next((number for number, token in enumerate(row) if token in ends), len(row) - 1)
    return row[: place + 1]


def _mean_probabilities(
    loaded: LoadedModel, batch: "dict[str, torch.Tensor]", rows: Sequence[Sequence[int]]
) -> list[float]:
    """Return the mean probability of each row's tokens, by one pass over what was written, in parts that fit memory."""
    import torch

    width = int(batch["input_ids"].shape[1]) + max(len(row) for row in rows)
    part = max(1, _LOGIT_BYTES // (4 * width * loaded.model.config.get_text_config().vocab_size))
    found: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(rows), part):
            chosen = slice(start, start + part)
            found += _part_probabilities(loaded, {k: v[chosen] for k, v in batch.items()}, rows[chosen])
    return found


def _part_probabilities(
    loaded: LoadedModel, batch: "dict[str, torch.Tensor]", rows: Sequence[Sequence[int]]
) -> list[float]:
    import torch

    written = pad_batch(loaded.tokenizer, rows, loaded.device)
    tokens, mask = written["input_ids"], written["attention_mask"]
    model = loaded.model
    if model.config.is_encoder_decoder:
        start = torch.full_like(tokens[:, :1], model.generation_config.decoder_start_token_id)
        logits = model(**batch, decoder_input_ids=torch.cat([start, tokens[:, :-1]], dim=1)).logits
    else:
        whole = torch.cat([batch["input_ids"], tokens], dim=1)
        seen = torch.cat([batch["attention_mask"], mask], dim=1)
        places = (seen.cumsum(dim=1) - 1).clamp(min=0)
        options = {"position_ids": places} if takes_places(model) else {}
        logits = model(input_ids=whole, attention_mask=seen, **options).logits
        logits = logits[:, batch["input_ids"].shape[1] - 1 : -1]
    chosen = logits.float().log_softmax(dim=-1).gather(2, tokens.unsqueeze(2)).squeeze(2).exp()
    means: np.ndarray = ((chosen * mask).sum(dim=1) / mask.sum(dim=1)).cpu().numpy()
    return [float(mean) for mean in means]


def takes_places(model: Any) -> bool:
    """Say whether a model can be told at which place each token stands."""
    import inspect

    return "position_ids" in inspect.signature(model.forward).parameters
