"""What a link between two words is worth, as a number that can be differentiated."""

from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import InputError
from lmcore.models.reading import Reading
from lmcore.tasks.links import LinkName, word_stretches

if TYPE_CHECKING:
    import torch

TEMPERATURE = 0.05


def link_value(states: "torch.Tensor", reading: Reading, link: LinkName) -> "torch.Tensor":
    """Return the value of a link for each row of a batch, shape (batch,).

    A word's vector is the mean over its tokens. The cosine is that of both words' vectors; the probability is the geometric
    mean, over both directions, of the softmax of cosines / 0.05 among the other text's words (Dou & Neubig 2021), those of
    them that were read.

    Args:
        states: one layer's vectors, shape (batch, tokens, features).
        reading: two texts that were read one by one.
        link: which.

    Raises:
        InputError: there is no such word, or the model did not read it.
    """
    import torch

    sides = [word_places(reading, name) for name in reading.parts]
    for number, places in zip((link.source, link.target), sides, strict=True):
        if number >= len(places) or not len(places[number]):
            counts = " and ".join(str(len(side)) for side in sides)
            raise InputError(
                f"There is no link {link.source}-{link.target}: the model read {counts} words, counted from 0."
            )
    vectors = [[states[:, places].mean(dim=1) for places in side if len(places)] for side in sides]
    first, second = (torch.nn.functional.normalize(torch.stack(side, dim=1).float(), dim=-1) for side in vectors)
    cosines = first @ second.transpose(1, 2)  # (batch, words, words)
    i, j = (sum(bool(len(p)) for p in side[:n]) for side, n in zip(sides, (link.source, link.target), strict=True))
    if link.measure == "cosine":
        return cosines[:, i, j]
    scaled = cosines / TEMPERATURE
    return ((scaled.log_softmax(dim=2) + scaled.log_softmax(dim=1)) / 2)[:, i, j].exp()


def word_places(reading: Reading, name: str) -> list[np.ndarray]:
    """Return the tokens of each word of one text; none for a word that was not read, or was left out."""
    names = list(reading.parts)
    begin = reading.parts[name]
    later = [reading.parts[other] - 1 for other in names[names.index(name) + 1 :]]
    text = reading.tokens.text[begin : later[0] if later else None]
    starts, ends = reading.tokens.offsets.T
    own = ~reading.tokens.special
    return [
        np.flatnonzero(own & (starts < end + begin) & (ends > start + begin))
        for start, end in word_stretches(text, raw=True)
    ]


def linked_places(reading: Reading, *links: LinkName) -> np.ndarray:
    """Return the tokens of the words of links, int64: without them the links have no value."""
    sides = [word_places(reading, name) for name in reading.parts]
    found = [
        side[number]
        for link in links
        for side, number in zip(sides, (link.source, link.target), strict=True)
        if number < len(side)
    ]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
