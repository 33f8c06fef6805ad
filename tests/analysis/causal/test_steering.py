from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.analysis import find_direction, steer
from lmcore.analysis.asked import ask
from lmcore.analysis.runs import run_tokens
from lmcore.errors import InputError, OptionError
from lmcore.models import predict_texts
from lmcore.models.reading import read_row
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, TEXT, reader

TOWARDS = [f"Anna told us on day {n}" for n in (1, 2, 3)]
AWAY = [f"Ben told us on day {n}" for n in (1, 2, 3)]


def test_a_direction_is_the_difference_of_the_means():
    loaded = model("gpt2")
    found = find_direction(loaded, TOWARDS, AWAY, layer=1)
    means = []
    for texts in (TOWARDS, AWAY):
        vectors = []
        for text in texts:
            reading = read_row(loaded, text)
            with torch.inference_mode():
                states = run_tokens(loaded, [reading], output_hidden_states=True).hidden_states[1][0]
            vectors.append(states[~torch.from_numpy(reading.tokens.special)].mean(dim=0).numpy())
        means.append(np.mean(vectors, axis=0))
    wanted = means[0] - means[1]
    assert found.vector == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
    assert found.distance * found.size == pytest.approx(np.linalg.norm(wanted), rel=1e-4)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-6)
    assert found.separation == 1
    assert found.texts == (3, 3)
    assert find_direction(loaded, AWAY, TOWARDS, layer=1).vector == pytest.approx(-found.vector, abs=1e-6)


@pytest.mark.parametrize("name", ASKED)
def test_strength_zero_changes_nothing(name):
    text, other, target, output = ASKED[name]
    loaded = model(name)
    direction = find_direction(loaded, [text], [other])
    found = steer(loaded, text, direction, strength=0, target=target, output=output or None)
    asked = ask(loaded, [text], [target], [output] if output else None)[0]
    from lmcore.analysis.runs import target_values

    with torch.inference_mode():
        plain = target_values(loaded, run_tokens(loaded, [asked.reading]), [asked.reading], [target])[0]
    assert found.value(0) == pytest.approx(plain, abs=1e-6)
    assert found.after == found.before
    assert np.ptp(found.curve["value"]) > 1e-3


def test_a_strong_direction_changes_what_is_said_and_leaves_the_model_alone():
    loaded, text = model("llama"), ASKED["llama"][0]
    direction = find_direction(loaded, TOWARDS, AWAY, layer=2)
    before = predict_texts(loaded, [text])[0]
    found = steer(loaded, text, direction, strength=8)
    assert found.before == before
    assert found.after.text != before.text
    assert predict_texts(loaded, [text])[0] == before


def test_the_curve_goes_the_way_of_a_head_that_reads_the_direction():
    """Added behind the last layer, a direction moves a linear head's logits in a straight line."""
    loaded = reader("named-entity-recognition")
    text, target, _ = CASES["named-entity-recognition"]
    direction = find_direction(loaded, [TEXT], [TEXT.replace("Anna", "Ben")], layer=2)
    found = steer(loaded, text, direction, target=target)
    slope = np.diff(found.curve["value"]) / np.diff(found.curve["strength"])
    assert slope == pytest.approx(slope[0], abs=1e-4)
    weight = loaded.model.classifier.weight[loaded.labels.index(target.label)] - loaded.model.classifier.weight[0]
    assert slope[0] == pytest.approx(direction.size * float(weight @ torch.from_numpy(direction.vector)), abs=1e-4)


def test_the_last_token_can_stand_for_a_text():
    loaded = model("llama")
    mean, last = (find_direction(loaded, TOWARDS, AWAY, layer=1, reads=reads) for reads in ("mean", "last"))
    assert not np.allclose(mean.vector, last.vector)
    assert mean.fingerprint != last.fingerprint


def test_bad_options_are_refused():
    loaded, text = model("llama"), ASKED["llama"][0]
    with pytest.raises(InputError, match="needs two sets of texts"):
        find_direction(loaded, TOWARDS, [])
    with pytest.raises(InputError, match="Both sets have the same mean"):
        find_direction(loaded, TOWARDS, TOWARDS)
    with pytest.raises(OptionError, match="There is no layer 7"):
        find_direction(loaded, TOWARDS, AWAY, layer=7)
    with pytest.raises(OptionError, match="take mean or last"):
        find_direction(loaded, TOWARDS, AWAY, reads="first")
    direction = find_direction(loaded, TOWARDS, AWAY)
    with pytest.raises(OptionError, match="A strength is out of range"):
        steer(loaded, text, direction, strength=float("nan"))
    with pytest.raises(InputError, match="was not found in"):
        steer(replace(loaded, fingerprint="other"), text, direction)
    with pytest.raises(OptionError, match=r"The strength 0\.3 was not measured"):
        steer(loaded, text, direction).value(0.3)
