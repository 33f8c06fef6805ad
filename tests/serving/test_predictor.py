from dataclasses import replace

import pytest
import torch

from lmcore.errors import InputError
from lmcore.models import load_model, predict_texts
from lmcore.serving import Predictor
from lmcore.serving.failed import FailedPrediction

TEXTS = ["rain and wind today", "a ticket", "the soup was very good " * 30, "storm", "some bread"]
POISON = "\ud800"


def test_equals_the_model_run_on_all_texts(predictor, tiny_loaded):
    assert predictor.predict(TEXTS) == predict_texts(tiny_loaded, TEXTS)
    assert [item.id for item in predictor.predict(TEXTS)] == [0, 1, 2, 3, 4]
    assert predictor.predict([]) == []


@pytest.mark.parametrize("bad", [{2}, {0, 4}, {1, 2, 3}])
def test_a_poisonous_text_spoils_only_its_own_answer(predictor, bad):
    texts = [POISON if number in bad else text for number, text in enumerate(TEXTS)]
    alone = [predictor.predict([text])[0] for text in TEXTS]
    found = predictor.predict(texts)
    for number, item in enumerate(found):
        assert item.id == number
        if number in bad:
            assert isinstance(item, FailedPrediction)
            assert item.error == "The model cannot work on this text (UnicodeEncodeError)."
            assert item.label == ""
        else:
            assert item.label == alone[number].label
            assert item.probabilities == pytest.approx(alone[number].probabilities, abs=1e-5)


def test_a_failing_forward_pass_is_bisected(tiny_loaded):
    class Failing(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            if input_ids.shape[1] > 20:
                raise RuntimeError("out of memory")
            return tiny_loaded.model(input_ids=input_ids, attention_mask=attention_mask)

    found = Predictor(replace(tiny_loaded, model=Failing())).predict(TEXTS)
    assert [isinstance(item, FailedPrediction) for item in found] == [False, False, True, False, False]


def test_an_output_that_is_not_finite_is_an_error(tiny_loaded):
    class Broken(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            out = tiny_loaded.model(input_ids=input_ids, attention_mask=attention_mask)
            out.logits[attention_mask.sum(1) > 20] = torch.nan
            return out

    found = Predictor(replace(tiny_loaded, model=Broken())).predict(TEXTS)
    assert [isinstance(item, FailedPrediction) for item in found] == [False, False, True, False, False]
    assert "finite" in found[2].error


def test_a_base_model_is_refused(tiny_folder, settings):
    loaded = load_model(f"folder:{tiny_folder}", settings=settings)
    with pytest.raises(InputError, match="has no trained head"):
        Predictor(loaded)


def test_version_names_what_answers(predictor, champion, settings, tiny_folder):
    assert Predictor(load_model("models:/topics@champion", settings=settings)).version == "models:/topics/1"
    assert predictor.version == f"folder:tiny#{predictor.loaded.fingerprint}"
