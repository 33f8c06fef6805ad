"""captum on an encoder-decoder: source by output and prefix by output, token by token."""

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency

from lmcore.analysis import attribute_output
from lmcore.analysis.runs import run_embeddings, token_embeddings
from tests.analysis.readers import CASES, reader

METHODS = {
    "integrated_gradients": ({"steps": 6, "baseline": "zero"}, IntegratedGradients, {"n_steps": 6}),
    "input_x_gradient": ({}, InputXGradient, {}),
    "gradient_norm": ({}, Saliency, {"abs": False}),
}


@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit"])
@pytest.mark.parametrize("method", METHODS)
def test_a_translation_is_explained_as_captum_does(method, objective):
    given, _, output = CASES["translation"]
    loaded = reader("translation")
    options, kind, theirs = METHODS[method]
    found = attribute_output(loaded, given, output=output, method=method, objective=objective, **options)
    reading = found.reading
    inputs = token_embeddings(loaded, reading).detach()[None]
    fixed = torch.from_numpy(reading.tokens.special)[None, :, None]
    for column, (at, token) in enumerate(zip(reading.written.at.tolist(), reading.written.ids.tolist(), strict=True)):

        def value(rows, at=at, token=token):
            numbers = np.zeros(len(rows), dtype=int)
            logits = run_embeddings(loaded, [reading], rows, numbers).logits[:, at]
            if objective != "logit":
                logits = logits.softmax(-1) if objective == "probability" else logits.log_softmax(-1)
            return logits[:, token]

        more = {"baselines": torch.where(fixed, inputs, 0.0)} if method == "integrated_gradients" else {}
        scores = kind(value).attribute(inputs.clone().requires_grad_(True), **more, **theirs)[0].detach()
        wanted = scores.norm(dim=-1) if method == "gradient_norm" else scores.sum(dim=-1)
        wanted = wanted.masked_fill(fixed[0, :, 0], 0.0).numpy()
        assert np.abs(found.scores[:, column] - wanted).max() < 1e-4 * max(1.0, np.abs(wanted).max())
