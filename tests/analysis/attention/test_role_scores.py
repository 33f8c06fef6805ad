import numpy as np
import pytest

from lmcore.analysis.attention.role_scores import HEAD_ROLES, RoleTokens, role_sums
from lmcore.errors import InputError, UnknownError

HALF = 31
SIZE = 2 * HALF + 2


def text(*, causal: bool = False) -> RoleTokens:
    """Special tokens at the ends, random tokens that come twice between them, and a full stop in each half."""
    half = np.arange(100, 100 + HALF)
    ids = np.concatenate([[1], half, half, [2]])
    delimiters = np.isin(ids, [1, 2, 105])
    return RoleTokens(ids, delimiters, causal)


def planted(role: str, tokens: RoleTokens) -> np.ndarray:
    """One head that looks only where its role has it look; rows that cannot show the role look at themselves."""
    size = len(tokens.ids)
    places = np.arange(size)
    maps = np.zeros((size, size))
    goal = places.copy()
    if role == "previous_token":
        goal = np.maximum(places - 1, 0)
    elif role == "next_token":
        goal = np.minimum(places + 1, size - 1)
    elif role == "first_token":
        goal[:] = 0
    elif role == "delimiter":
        goal[:] = 6  # the full stop of the first half
        goal[: 6 if tokens.causal else 0] = 0
    elif role == "duplicate_token":
        goal[1 + HALF : -1] = places[1 : 1 + HALF]
        if not tokens.causal:
            goal[1 : 1 + HALF] = places[1 + HALF : -1]
    elif role == "induction":
        goal[1 + HALF : -1] = places[1 : 1 + HALF] + 1
    maps[places, goal] = 1
    if role == "position_independent":
        maps = tokens.seen / tokens.seen.sum(axis=1, keepdims=True)
    return maps


def scores(maps: np.ndarray, tokens: RoleTokens) -> dict[str, float]:
    sums, rows = role_sums(maps[None, None], tokens, list(HEAD_ROLES))
    assert sums.shape == (len(HEAD_ROLES), 1, 1)
    return {name: total / count for name, total, count in zip(HEAD_ROLES, sums[:, 0, 0], rows, strict=True) if count}


@pytest.mark.parametrize(
    ("role", "causal"),
    [(role, causal) for role in HEAD_ROLES for causal in (False, True) if (role, causal) != ("next_token", True)],
)
def test_a_head_that_plays_one_role_scores_one_there_and_next_to_nothing_elsewhere(role, causal):
    tokens = text(causal=causal)
    found = scores(planted(role, tokens), tokens)
    assert found.pop(role) == pytest.approx(1)
    # Rows that cannot show duplicates or induction look at themselves here, and a look at a stop is at times one back.
    resting = {"own_token"} if role in {"duplicate_token", "induction", "delimiter"} else set()
    assert max(score for name, score in found.items() if name not in resting) <= 0.07, found


def test_scores_are_shares_of_the_attention():
    maps = np.random.default_rng(0).dirichlet(np.full(SIZE, 0.3), size=(3, 4, SIZE))
    sums, rows = role_sums(maps, text(), list(HEAD_ROLES))
    found = sums / rows[:, None, None]
    assert ((found >= 0) & (found <= 1)).all()
    previous = [maps[1, 2, i, i - 1] for i in range(1, SIZE)]
    assert found[0, 1, 2] == pytest.approx(np.mean(previous))
    ids = text().ids
    copies = [maps[1, 2, i, next(j for j in range(SIZE) if j != i and ids[j] == ids[i])] for i in range(1, SIZE - 1)]
    copies = [c for i, c in enumerate(copies, 1) if not text().delimiters[i]]
    assert found[list(HEAD_ROLES).index("duplicate_token"), 1, 2] == pytest.approx(np.mean(copies))


def test_the_prefix_matching_score_is_that_of_olsson():
    """Of a random sequence that comes twice: the attention from each token of the second run to the one after its twin."""
    size, half = 20, 10
    tokens = RoleTokens(np.tile(np.arange(half), 2), np.zeros(size, dtype=bool), causal=True)
    maps = np.tril(np.random.default_rng(1).random((size, size)))
    maps /= maps.sum(axis=1, keepdims=True)
    by_hand = np.mean([maps[i, i - half + 1] for i in range(half, size)])
    assert scores(maps, tokens)["induction"] == pytest.approx(by_hand)


def test_a_role_that_no_token_can_show_has_no_rows():
    tokens = RoleTokens(np.array([5, 6]), np.zeros(2, dtype=bool), causal=False)
    sums, rows = role_sums(np.full((1, 1, 2, 2), 0.5), tokens, list(HEAD_ROLES))
    counted = dict(zip(HEAD_ROLES, rows.tolist(), strict=True))
    assert counted == {
        "previous_token": 1, "next_token": 1, "first_token": 0, "own_token": 1, "delimiter": 0, "duplicate_token": 0,
        "induction": 0, "position_independent": 2,
    }  # fmt: skip
    assert not sums[rows == 0].any()


def test_an_even_spread_counts_only_what_a_row_can_see():
    causal = text(causal=True)
    assert scores(planted("position_independent", causal), causal)["position_independent"] == pytest.approx(1)
    uneven = planted("position_independent", causal)
    uneven[1:] = (uneven[1:] + np.eye(SIZE)[1:]) / 2
    assert 0.3 < scores(uneven, causal)["position_independent"] < 0.7


@pytest.mark.parametrize("shape", [(SIZE, SIZE), (1, 1, SIZE, SIZE - 1), (1, 1, 3, 3)])
def test_another_shape_is_refused(shape):
    with pytest.raises(InputError, match="give \\(layers, heads, 64, 64\\)"):
        role_sums(np.ones(shape), text(), ["induction"])


def test_a_role_that_is_not_there_is_refused():
    with pytest.raises(UnknownError, match="no head role 'boss'"):
        role_sums(np.ones((1, 1, SIZE, SIZE)), text(), ["boss"])
