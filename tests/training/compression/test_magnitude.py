from collections.abc import Callable

import pytest
import torch
from torch import nn

from lmcore.errors import OptionError
from lmcore.training.compression.made import CompressJob
from lmcore.training.compression.magnitude import prune_weights, zero_smallest
from lmcore.training.compression.rounding import round_weights


def linears(job: CompressJob) -> list[torch.Tensor]:
    return [m.weight for m in job.loaded.model.base_model.modules() if type(m) is nn.Linear]


def test_the_smallest_become_zero_and_the_others_stay() -> None:
    weights = [nn.Parameter(torch.tensor([[3.0, -1.0]])), nn.Parameter(torch.tensor([[0.5, -4.0]]))]
    zero_smallest(weights, 0.5)
    assert [w.tolist() for w in weights] == [[[3.0, 0.0]], [[0.0, -4.0]]]


def test_of_equal_weights_no_more_go_than_asked_for() -> None:
    weights = [nn.Parameter(torch.ones(10, 10))]
    zero_smallest(weights, 0.3)
    assert int((weights[0] == 0).sum()) == 30


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_sparsity_is_what_was_asked_for(make_job: Callable[..., CompressJob], share: float) -> None:
    job = make_job(method="magnitude", share=share)
    before = [w.clone() for w in linears(job)]
    made = prune_weights(job)
    zeros, total = sum(int((w == 0).sum()) for w in linears(job)), sum(w.numel() for w in before)
    assert zeros == round(share * total) == made.facts["zeros"]
    kept = torch.cat([w.abs().flatten() for w in linears(job)])
    gone = torch.cat([(old * (new == 0)).abs().flatten() for old, new in zip(before, linears(job), strict=True)])
    assert float(gone.max()) <= float(kept[kept > 0].min())


def test_each_matrix_can_have_the_share_by_itself(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(method="magnitude", share=0.5, scope="matrix")
    prune_weights(job)
    assert {float((w == 0).float().mean()) for w in linears(job)} == {0.5}


def test_the_head_stays_whole(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(method="magnitude", share=0.9)
    prune_weights(job)
    assert (job.loaded.model.classifier.weight != 0).all()


def test_a_rounded_model_is_refused(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(method="int8")
    round_weights(job)
    with pytest.raises(OptionError, match="prune the version it was made from"):
        prune_weights(job)
    with pytest.raises(OptionError, match="in eight bits already"):
        round_weights(job)
