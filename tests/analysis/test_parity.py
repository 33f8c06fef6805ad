import pytest
import torch

from lmcore.analysis.parity import check_parity, model_output
from lmcore.errors import InputError


def test_equal_outputs_pass_and_others_are_told(tiny_loaded):
    plain = torch.tensor([[1.0, -20.0]])
    check_parity(tiny_loaded, plain, plain + 1e-4, "embeddings")
    with pytest.raises(InputError, match="other outputs with embeddings than without"):
        check_parity(tiny_loaded, plain, plain + 0.01, "embeddings")


def test_an_output_that_is_not_finite_is_not_taken_for_equal(tiny_loaded):
    with pytest.raises(InputError, match="nan"):
        check_parity(tiny_loaded, torch.zeros(1), torch.tensor([float("nan")]), "embeddings")


def test_the_output_is_the_logits_or_the_last_states(tiny_loaded):
    ids = torch.tensor([[2, 7, 3]])
    with torch.inference_mode():
        assert model_output(tiny_loaded.model(input_ids=ids)).shape == (1, 3)
        assert model_output(tiny_loaded.model.base_model(input_ids=ids)).shape == (1, 3, 32)
