import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients

from lmcore.analysis import attribute, attribute_output, attribute_outputs
from lmcore.errors import InputError, OptionError
from lmcore.types import Target
from tests.analysis.readers import CASES, reader

WRITERS = ("text-generation", "translation")
METHODS = {
    "integrated_gradients": {"steps": 6},
    "input_x_gradient": {},
    "gradient_norm": {},
    "gradient_shap": {"samples": 5},
    "occlusion": {"unit": "token"},
    "kernel_shap": {"samples": 40},
    "partition_shapley": {"calls": 30},
}


@pytest.mark.parametrize("task", WRITERS)
@pytest.mark.parametrize("method", METHODS)
def test_one_pass_for_all_tokens_gives_what_each_token_gets_alone(task, method):
    given, _, output = CASES[task]
    loaded = reader(task)
    options = {k: v for k, v in METHODS[method].items() if k != "calls"}
    if method == "partition_shapley":
        options["calls"] = 4000  # with few calls the parts that are opened hang on all tokens together
    found = attribute_output(loaded, given, output=output, method=method, **options)
    assert found.scores.shape == (len(found.tokens), len(found.outputs))
    for number in range(len(found.outputs)):
        start, end = found.reading.written.offsets[number]
        if end <= start:
            continue
        target = Target("phrase", "", int(start), int(end))
        alone = attribute(loaded, given, target, output=output, method=method, **options)
        if len(found.reading.written.within(int(start), int(end))) == 1:
            assert found.scores[:, number] == pytest.approx(alone.scores, abs=1e-5)
            assert found.values[number] == pytest.approx(alone.value, abs=1e-5)


@pytest.mark.parametrize("task", WRITERS)
def test_prompts_beside_each_other_get_what_each_gets_alone(task):
    given, _, output = CASES[task]
    loaded = reader(task)
    texts = [given, f"{given} {given}", given]
    outputs = [output, output, output + output[: len(output) // 2]]
    together = attribute_outputs(loaded, texts, outputs=outputs, steps=4)
    for text, written, found in zip(texts, outputs, together, strict=True):
        alone = attribute_output(loaded, text, output=written, steps=4)
        assert found.scores == pytest.approx(alone.scores, abs=1e-5)
        assert found.fingerprint == alone.fingerprint
    assert len(together[2].outputs) > len(together[0].outputs)


@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit"])
def test_a_continuation_is_explained_as_captum_does_token_by_token(objective):
    loaded = reader("text-generation")
    given, _, output = CASES["text-generation"]
    found = attribute_output(
        loaded, given, output=output, objective=objective, baseline="pad", steps=6, method="integrated_gradients"
    )
    ids = torch.from_numpy(found.reading.tokens.ids)[None]
    fixed = torch.from_numpy(found.reading.tokens.special)[None]
    for number, (at, token) in enumerate(zip(found.reading.written.at, found.reading.written.ids, strict=True)):

        def value(prefix, token=int(token)):
            logits = loaded.model(input_ids=prefix).logits[:, -1]
            if objective != "logit":
                logits = logits.softmax(-1) if objective == "probability" else logits.log_softmax(-1)
            return logits[:, token]

        prefix = ids[:, : at + 1]
        base = torch.where(fixed[:, : at + 1], prefix, loaded.tokenizer.pad_token_id)
        oracle = LayerIntegratedGradients(value, loaded.model.get_input_embeddings())
        expected = oracle.attribute(prefix, base, n_steps=6).sum(dim=-1)[0].detach().numpy()
        assert found.scores[: at + 1, number] == pytest.approx(expected, abs=1e-4)
        assert np.abs(found.scores[at + 1 :, number]).max(initial=0) == 0


@pytest.mark.parametrize("task", WRITERS)
def test_the_input_and_what_was_written_are_told_apart(task):
    given, _, output = CASES[task]
    found = attribute_output(reader(task), given, output=output, steps=8)
    assert set(found.parts) == {"input", "output"}
    assert (found.parts[: found.reading.first] == "input").all() or task == "text-generation"
    shares = found.shares()
    assert shares["input"].iloc[0] == pytest.approx(1 if task == "text-generation" else shares["input"].iloc[0])
    assert (shares["input"] + shares["output"]).to_numpy() == pytest.approx(np.ones(len(shares)))
    assert shares["output"].iloc[-1] > 0.001
    frame = found.by_unit("word")
    assert frame["score"].sum() == pytest.approx(found.scores.sum(), abs=1e-3)
    assert set(frame[frame["part"] == "output"]["unit"]) <= set(output.split())
    assert len(found.to_frame()) >= len(frame)


def test_the_scores_of_each_token_add_up():
    given, _, output = CASES["translation"]
    found = attribute_output(reader("translation"), given, output=output, steps=200)
    assert found.scores.sum(axis=0) == pytest.approx(found.values - found.baseline_values, abs=0.02)
    assert (found.completeness_errors < 0.05).all()


def test_what_the_model_writes_itself_is_explained_where_nothing_is_given():
    found = attribute_output(reader("translation"), "one two three", steps=2)
    assert found.output
    assert len(found.outputs) == found.scores.shape[1]


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(OptionError, match="The objective is 'loss'"):
        attribute_output(reader("translation"), "one two", output="eins", objective="loss")
    with pytest.raises(InputError):
        attribute_output(reader("text-classification"), "Anna told us")
