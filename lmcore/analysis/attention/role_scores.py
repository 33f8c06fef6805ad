"""The roles that attention heads are known for, each with a score from 0 to 1 for every token that looks.

A score is a share of a row's attention, or, for `position_independent`, how evenly it is spread. A head that plays a role
and nothing else scores 1; the mean over the rows that can show the role is the head's score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmcore.errors import InputError
from lmcore.methods import Method, Registry

TEXTS, REPEATS = "texts", "repeats"


@dataclass(frozen=True, eq=False)
class RoleTokens:
    """What scores need to know of the tokens of a text.

    Attributes:
        ids: token ids, shape (tokens,).
        delimiters: whether a token is a special one or punctuation alone, bool of shape (tokens,).
        causal: whether a token sees only itself and those before it.
    """

    ids: np.ndarray
    delimiters: np.ndarray
    causal: bool

    @property
    def seen(self) -> np.ndarray:
        """Whether the token of a row can look at that of a column, bool of shape (tokens, tokens)."""
        every = np.ones((len(self.ids), len(self.ids)), dtype=bool)
        return np.tril(every) if self.causal else every


def previous_token(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return each row's attention to the token before it; the first row has none (Clark et al. 2019, Voita et al. 2019).

    Args:
        maps: shape (layers, heads, tokens, tokens).
        tokens: what they are.

    Returns:
        Shape (layers, heads, rows that can show the role); so do the other scores.
    """
    return np.diagonal(maps, offset=-1, axis1=-2, axis2=-1)


def next_token(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return each row's attention to the token after it (Clark et al. 2019); always 0 where a model reads from the left."""
    return np.diagonal(maps, offset=1, axis1=-2, axis2=-1)


def first_token(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return the attention to the text's first token, of the rows from the third on (an attention sink: Xiao et al. 2024).

    For the first row it is the token itself and for the second the one before, which are roles of their own.
    """
    return maps[..., 2:, 0]


def own_token(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return each row's attention to itself, from the second row on (Clark et al. 2019); the first may have no choice."""
    return np.diagonal(maps, axis1=-2, axis2=-1)[..., 1:]


def delimiter(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return the attention of words to special tokens and punctuation (Clark et al. 2019), summed.

    The first token is left out, since it has a role of its own; so are rows that see no delimiter.
    """
    columns = tokens.delimiters.copy()
    columns[:1] = False
    return _sum_where(maps, columns[None, :] & tokens.seen & ~tokens.delimiters[:, None])


def duplicate_token(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return the attention to other occurrences of the same token, summed (Wang et al. 2023); of the rows that see one.

    Delimiters are left out: they look at each other for other reasons.
    """
    same = (tokens.ids[:, None] == tokens.ids[None, :]) & ~np.eye(len(tokens.ids), dtype=bool)
    return _sum_where(maps, same & tokens.seen & ~tokens.delimiters[:, None])


def induction(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return the attention to what followed an earlier occurrence of the same token, summed (Olsson et al. 2022).

    This is their prefix-matching score; it is taken of random tokens that come twice, where nothing but the repetition tells
    what comes next.
    """
    size = len(tokens.ids)
    follows = np.zeros((size, size), dtype=bool)
    follows[:, 1:] = np.tril(tokens.ids[:, None] == tokens.ids[None, :], k=-1)[:, :-1]
    follows &= ~np.eye(size, dtype=bool)
    return _sum_where(maps, follows & tokens.seen & ~tokens.delimiters[:, None])


def position_independent(maps: np.ndarray, tokens: RoleTokens) -> np.ndarray:
    """Return how evenly a row is spread over all tokens that it sees, wherever they stand (broad heads: Clark et al. 2019).

    The share of the attention that is alike for all tokens, scaled so that it is 0 where a row looks at one token alone and 1
    where it looks at all of them equally; of the rows that see two or more.
    """
    counts = tokens.seen.sum(axis=1)
    rows = counts > 1
    even = 1 / counts[rows]
    shared = np.minimum(maps[..., rows, :], even[:, None]).sum(axis=-1)
    found: np.ndarray = (shared - even) / (1 - even)
    return found


HEAD_ROLES = Registry(
    "head role",
    Method(
        name="previous_token",
        title="Previous token",
        summary="Looks at the token before.",
        target="lmcore.analysis.attention.role_scores:previous_token",
        facts={"reads": TEXTS, "sign": "←"},
    ),
    Method(
        name="next_token",
        title="Next token",
        summary="Looks at the token after.",
        target="lmcore.analysis.attention.role_scores:next_token",
        facts={"reads": TEXTS, "sign": "→"},
    ),
    Method(
        name="first_token",
        title="First token",
        summary="Looks at the text's first token, whatever it is.",
        target="lmcore.analysis.attention.role_scores:first_token",
        facts={"reads": TEXTS, "sign": "⇤", "rest": True},
    ),
    Method(
        name="own_token",
        title="Own token",
        summary="Looks at the token itself.",
        target="lmcore.analysis.attention.role_scores:own_token",
        facts={"reads": TEXTS, "sign": "•"},
    ),
    Method(
        name="delimiter",
        title="Delimiter",
        summary="Looks from words at special tokens and punctuation, the first token apart.",
        target="lmcore.analysis.attention.role_scores:delimiter",
        facts={"reads": TEXTS, "sign": "¶"},
    ),
    Method(
        name="duplicate_token",
        title="Duplicate token",
        summary="Looks at other occurrences of the same token, in random tokens that come twice.",
        target="lmcore.analysis.attention.role_scores:duplicate_token",
        facts={"reads": REPEATS, "sign": "="},
    ),
    Method(
        name="induction",
        title="Induction",
        summary="Looks at what followed the token the last time, in random tokens that come twice.",
        target="lmcore.analysis.attention.role_scores:induction",
        facts={"reads": REPEATS, "sign": "↻"},
    ),
    Method(
        name="position_independent",
        title="Position-independent",
        summary="Looks at all tokens alike, wherever they stand.",
        target="lmcore.analysis.attention.role_scores:position_independent",
        facts={"reads": TEXTS, "sign": "∗", "rest": True},
    ),
)


def role_sums(maps: np.ndarray, tokens: RoleTokens, roles: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Add up the scores of one text.

    Args:
        maps: self-attention, shape (layers, heads, tokens, tokens).
        tokens: what they are.
        roles: names of the registry HEAD_ROLES.

    Returns:
        float64 of shape (roles, layers, heads): the sums over the rows that can show a role; and int64 of shape (roles,):
        how many rows those are. Their ratio is the score, from 0 to 1.

    Raises:
        InputError: the shape is another.
        UnknownError: there is no such role.
    """
    size = len(tokens.ids)
    if np.ndim(maps) != 4 or np.shape(maps)[2:] != (size, size):
        raise InputError(f"The attention has the shape {np.shape(maps)}: give (layers, heads, {size}, {size}).")
    sums, rows = [], []
    for name in roles:
        each = HEAD_ROLES[name].load()(np.asarray(maps, dtype=np.float64), tokens)
        sums.append(each.sum(axis=-1))
        rows.append(each.shape[-1])
    return np.stack(sums), np.array(rows, dtype=np.int64)


def _sum_where(maps: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the attention to marked tokens, summed, of the rows that have one; shape (layers, heads, rows)."""
    rows = where.any(axis=1)
    found: np.ndarray = np.where(where[rows], maps[..., rows, :], 0.0).sum(axis=-1)
    return found
