"""Why two words are linked: the value, its attribution and how far that can be trusted."""

import numpy as np
import pytest
import torch

from lmcore.analysis import align_words, attribute, measure_faithfulness, patch_activations
from lmcore.analysis.asked import ask
from lmcore.errors import InputError, OptionError
from lmcore.models.link_value import TEMPERATURE
from lmcore.models.predict import predict_texts
from lmcore.tasks import load_task
from lmcore.types import Target
from tests.analysis.readers import reader

PAIR = {"source": "Anna told us on day 7", "target": "nothing is as good as apples"}
LINK = Target("link", "1-3")


@pytest.fixture(scope="module")
def loaded():
    return reader("text-alignment")


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_its_value_is_the_cosine_of_the_alignment(loaded, layer):
    found = attribute(loaded, PAIR, Target("link", f"1-3@{layer}"), method="leave_one_out")
    expected = align_words(loaded, PAIR["source"], PAIR["target"], layer=layer).similarity
    assert found.value == pytest.approx(expected[1, 3], abs=1e-5)
    against = attribute(loaded, PAIR, Target("link", f"1-3@{layer}", against="1-5"), method="leave_one_out")
    assert against.value == pytest.approx(expected[1, 3] - expected[1, 5], abs=1e-5)


def test_its_probability_is_that_of_both_directions(loaded):
    similarity = align_words(loaded, PAIR["source"], PAIR["target"]).similarity
    shares = torch.from_numpy(similarity / TEMPERATURE)
    both = (shares.softmax(0) * shares.softmax(1)).sqrt()[1, 3]
    found = attribute(loaded, PAIR, Target("link", "1-3:probability"), method="occlusion")
    assert found.value == pytest.approx(both.item(), abs=1e-5)


@pytest.mark.parametrize("label", ["1-3", "1-3@2", "1-3:probability"])
def test_integrated_gradients_are_complete(loaded, label):
    found = attribute(loaded, PAIR, Target("link", label), steps=64)
    assert found.completeness_error < 0.01
    assert float(found.scores.sum()) == pytest.approx(found.value - found.baseline_value, abs=0.02)
    assert {"Anna", "apples"} <= set(found.by_word()["word"])


def test_the_gradient_is_plain_autograd(loaded):
    found = attribute(loaded, PAIR, LINK, method="input_x_gradient")
    first = found.reading.first
    table = loaded.model.get_input_embeddings().weight
    leaves = [
        table[torch.from_numpy(ids)][None].clone().requires_grad_()
        for ids in (found.text_tokens.ids[:first], found.text_tokens.ids[first:])
    ]
    layer = load_task("text-alignment").layer_of(loaded)
    with torch.enable_grad():
        one, two = (
            loaded.model(inputs_embeds=leaf, output_hidden_states=True).hidden_states[layer][0] for leaf in leaves
        )
        source = found.reading.within(5, 9, "source")
        target = found.reading.within(14, 18, "target") - first
        torch.cosine_similarity(one[source].mean(0), two[target].mean(0), dim=0).backward()
    expected = torch.cat([(leaf.grad * leaf)[0].sum(-1) for leaf in leaves]).detach().numpy()
    kept = ~found.text_tokens.special
    assert found.scores[kept] == pytest.approx(expected[kept], abs=1e-5)


def test_each_text_hangs_on_its_own_words_alone(loaded):
    whole = attribute(loaded, PAIR, LINK, method="leave_one_out").by_unit()
    assert whole["unit"].tolist() == [*PAIR["source"].split(), *PAIR["target"].split()]
    # At the embeddings no word sees another one: those around the link are worth nothing.
    flat = attribute(loaded, PAIR, Target("link", "1-3@0"), method="leave_one_out", baseline="mask").by_unit()
    others = ~flat["unit"].isin(["told", "good"])
    assert np.abs(flat.loc[others, "score"]).max() < 1e-6
    assert flat.loc[~others, "score"].abs().min() > 1e-3


def test_dropping_both_contexts_leaves_the_link_of_two_lone_words(loaded):
    found = attribute(loaded, PAIR, LINK, method="kernel_shap", baseline="drop")
    assert found.completeness_error < 1e-4


def test_it_can_be_judged_and_has_a_name(loaded):
    (prediction,) = predict_texts(loaded, [PAIR])
    offered = load_task("text-alignment").targets(prediction)
    assert [str(target.label) for target in offered] == prediction.text.split()
    found = attribute(loaded, PAIR, offered[0].label, method="leave_one_out")
    assert found.target.kind == "link"
    judged = measure_faithfulness(loaded, found, edits=1, stages=1, methods=("input_x_gradient",))
    assert judged.warning
    assert np.isfinite(judged.comprehensiveness)


@pytest.mark.parametrize(
    ("label", "error", "said"),
    [
        ("told-good", InputError, "names no link"),
        ("1-60", InputError, "read 6 and 6 words"),
        ("1-3@9", OptionError, "give 0 to 2"),
    ],
)
def test_a_link_that_is_not_there_is_refused(loaded, label, error, said):
    with pytest.raises(error, match=said):
        ask(loaded, [PAIR], [Target("link", label)], links=True)


def test_what_cannot_explain_a_link_says_so(loaded):
    with pytest.raises(InputError, match="explained by attribution"):
        patch_activations(loaded, PAIR, PAIR, target=LINK)
