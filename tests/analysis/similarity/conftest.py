"""Small models to compare: a classifier, the same with its last layer changed, a decoder and an encoder-decoder."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from lmcore.models.load import LoadedModel
from lmcore.types import ModelRef


@pytest.fixture
def changed(tiny_loaded: LoadedModel) -> Callable[[int], LoadedModel]:
    """Return a copy of the tiny classifier with noise in the weights of one layer, counted from 1."""

    def changed(layer: int) -> LoadedModel:
        import torch

        model = copy.deepcopy(tiny_loaded.model)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.base_model.encoder.layer[layer - 1].parameters():
                weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
        return replace(tiny_loaded, model=model, ref=ModelRef("folder", "changed"), fingerprint="changed")

    return changed
