from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.analysis import logit_lens
from lmcore.analysis.asked import ask
from lmcore.analysis.lens.logit_lens import first_kept
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import Cancelled, InputError, OptionError
from lmcore.tasks import load_task
from lmcore.types import Silent, Target
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, reader


@pytest.mark.parametrize("name", ASKED)
def test_the_last_layer_is_the_model_itself(name):
    loaded, (text, _, target, output) = model(name), ASKED[name]
    found = logit_lens(loaded, text, target, output=output)
    reading = ask(loaded, [text], [target], [output])[0].reading
    with torch.inference_mode():
        out = run_tokens(loaded, [reading])
    shares = out.logits[0].softmax(dim=-1)
    assert found.top.shape == (found.layers + 1, len(shares), 5)
    best = shares.topk(5, dim=-1)
    assert (found.top[-1] == best.indices.numpy()).all()
    assert np.allclose(found.probabilities[-1], best.values.numpy(), atol=1e-6)
    assert np.allclose(found.entropy[-1], torch.special.entr(shares).sum(-1).numpy(), atol=1e-4)
    assert found.values[-1] == pytest.approx(target_values(loaded, out, [reading], [target])[0], abs=1e-5)
    assert np.abs(found.divergence[-1]).max() < 1e-6
    assert (found.final_ranks[-1] == 1).all()
    assert found.divergence[0].max() > 0.01
    assert not found.off_distribution


def test_a_decoder_is_read_through_its_final_norm_once():
    """Transformers' states have the norm in the last one and in no other: the lens puts it on the others."""
    loaded, (text, _, target, _) = model("gpt2"), ASKED["gpt2"]
    found = logit_lens(loaded, text, target)
    asked = ask(loaded, [text], [target])[0]
    with torch.inference_mode():
        states = run_tokens(loaded, [asked.reading], output_hidden_states=True).hidden_states
        by_hand = loaded.model.lm_head(loaded.model.transformer.ln_f(states[1][0])).softmax(dim=-1)
        last = loaded.model.lm_head(states[-1][0]).softmax(dim=-1)
    assert np.allclose(found.probabilities[1, :, 0], by_hand.max(dim=-1).values.numpy(), atol=1e-6)
    assert np.allclose(found.probabilities[-1, :, 0], last.max(dim=-1).values.numpy(), atol=1e-6)


@pytest.mark.parametrize("task", CASES)
def test_every_task_is_read_layer_by_layer(task):
    text, target, output = CASES[task]
    loaded = reader(task)
    found = logit_lens(loaded, text, target, output=output)
    asked = ask(loaded, [text], [target], [output])[0]
    with torch.inference_mode():
        out = run_tokens(loaded, [asked.reading])
    assert found.values[-1] == pytest.approx(target_values(loaded, out, [asked.reading], [target])[0], abs=1e-5)
    assert np.ptp(found.values) > 1e-4
    assert (found.target_ranks[:, found.focus] >= 1).all()
    frame = found.to_frame()
    assert len(frame) == (found.layers + 1) * len(found.columns)
    assert found.off_distribution == (task not in ("translation", "text-generation", "completion"))
    assert len(found.trajectory(0)) == found.layers + 1


def test_a_head_is_put_on_every_layer():
    """What is said of the last layer but one is what a model says that ends there."""
    loaded = reader("named-entity-recognition")
    text, target, _ = CASES["named-entity-recognition"]
    found = logit_lens(loaded, text, target)
    asked = ask(loaded, [text], [target])[0]
    with torch.inference_mode():
        states = run_tokens(loaded, [asked.reading], output_hidden_states=True).hidden_states
        tags = loaded.model.classifier(states[1][0]).softmax(dim=-1).numpy()
    assert np.allclose(found.probabilities[1, :, 0], tags[found.places].max(axis=1), atol=1e-5)


def test_where_the_answer_is_decided():
    holds = np.array([[1, 0, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1]], dtype=bool)
    assert first_kept(holds).tolist() == [2, 3, -1, 0]
    found = logit_lens(model("llama"), *ASKED["llama"][::2])
    for column, layer in enumerate(found.decided):
        same = found.top[:, column, 0] == found.top[-1, column, 0]
        assert same[layer:].all()
        assert layer == 0 or not same[layer - 1]


def test_labels_of_their_own_have_an_entropy_of_their_own():
    loaded = reader("text-classification")
    task = load_task("multi-label-classification")
    assert not task.exclusive
    text, _, _ = CASES["text-classification"]
    found = logit_lens(replace(loaded, task="multi-label-classification"), text, Target("class", "good"))
    alone = found.probabilities[-1, 0]
    assert alone.sum() != pytest.approx(1, abs=1e-3)
    wanted = -(alone * np.log(alone) + (1 - alone) * np.log(1 - alone)).sum()
    assert found.entropy[-1, 0] == pytest.approx(wanted, abs=1e-5)
    assert np.abs(found.divergence[-1]).max() < 1e-6


def test_bad_questions_are_refused():
    loaded, (text, _, target, _) = model("llama"), ASKED["llama"]
    with pytest.raises(InputError, match="The text is empty"):
        logit_lens(loaded, " ")
    with pytest.raises(OptionError, match="The number of choices to keep is 0"):
        logit_lens(loaded, text, target, top=0)
    with pytest.raises(OptionError, match="There is no column 99"):
        logit_lens(loaded, text, target).trajectory(99)


def test_it_stops_when_asked():
    class Stop(Silent):
        def check(self) -> None:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        logit_lens(model("llama"), *ASKED["llama"][::2], report=Stop())


def test_the_model_is_left_as_it_was():
    loaded, (text, _, target, _) = model("llama"), ASKED["llama"]
    logit_lens(loaded, text, target)
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in loaded.model.modules()]
    logit_lens(loaded, text, target)
    assert [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in loaded.model.modules()] == hooks
    assert set(hooks) <= {(0, 0), (1, 0)}  # the one is transformers' own, for the states that it returns
