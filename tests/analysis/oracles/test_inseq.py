"""inseq (Sarti et al.): the same matrices of prefix by output, for a decoder and for an encoder-decoder."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import attribute_output
from tests.analysis.oracles.quietly import oracle, quiet
from tests.analysis.readers import CASES, reader

STEPS = 5
# Ours to inseq's name, its options, and how it makes one number of a token's features.
METHODS = {
    "integrated_gradients": ({"steps": STEPS, "baseline": "unknown"}, {"n_steps": STEPS}, "sum"),
    "input_x_gradient": ({}, {}, "sum"),
    "gradient_norm": ({}, {}, "norm"),
}
THEIRS = {
    "integrated_gradients": "integrated_gradients",
    "input_x_gradient": "input_x_gradient",
    "gradient_norm": "saliency",
}


@pytest.mark.parametrize("method", METHODS)
def test_a_continuation_has_inseqs_matrix(method):
    inseq = oracle("inseq")
    loaded, (prompt, _, output) = reader("text-generation"), CASES["text-generation"]
    tokenizer = copy.deepcopy(loaded.tokenizer)
    tokenizer.unk_token = tokenizer.pad_token  # what inseq begins from
    loaded = replace(loaded, tokenizer=tokenizer)
    options, theirs, shape = METHODS[method]
    found = attribute_output(loaded, prompt, output=output, method=method, objective="probability", **options)
    with quiet():
        model = inseq.load_model(
            copy.deepcopy(loaded.model).requires_grad_(True), THEIRS[method], tokenizer=loaded.tokenizer
        )
        out = model.attribute(
            [prompt],
            [prompt + output],
            attributed_fn="probability",
            show_progress=False,
            pretty_progress=False,
            **theirs,
        )
    matrix = np.asarray(out.sequence_attributions[0].target_attributions.nan_to_num())
    matrix = matrix.sum(axis=-1) if shape == "sum" else np.linalg.norm(matrix, axis=-1)
    for column in range(len(found.outputs)):
        before = len(found.tokens) - len(found.outputs) + column
        missed = np.abs(found.scores[:before, column] - matrix[:before, column])
        assert missed[~found.reading.tokens.special[:before]].max() < 1e-4
    assert np.abs(found.scores).max() > 1e-3
