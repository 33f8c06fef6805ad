import numpy as np
import pytest
import torch

from lmcore.analysis import head_importance, importance_passes
from lmcore.analysis.attention.importance_methods import IMPORTANCE
from lmcore.errors import Cancelled, InputError, OptionError, UnknownError
from lmcore.models.heads import attention_blocks
from lmcore.tasks import load_task
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.heads import head_importance as pruned_importance
from lmcore.training.compression.made import CompressJob
from lmcore.types import Silent, Target
from tests.analysis.readers import CASES, TEXT, reader


def silence_all_but(loaded, layer: int, head: int) -> None:
    """Leave one head alone that gives anything to the layers above."""
    for number, block in enumerate(attention_blocks(loaded.model.base_model)):
        weight = block.output.dense.weight
        for other in range(block.heads):
            if (number, other) != (layer, head):
                weight[:, other * block.size : (other + 1) * block.size] = 0


@pytest.mark.parametrize("method", list(IMPORTANCE))
@pytest.mark.parametrize("place", [(0, 2), (1, 3)])
def test_the_one_head_that_matters_is_found(method, place):
    loaded = reader("text-classification")
    silence_all_but(loaded, *place)
    found = head_importance(loaded, [TEXT, "Ben told us"], method=method)
    assert np.unravel_index(np.abs(found.values).argmax(), found.values.shape) == place
    others = np.abs(found.values).copy()
    assert others[place] > 5e-4
    others[place] = 0
    assert others.max() < 1e-6
    first = found.to_frame().iloc[0]
    assert (first["layer"] - 1, first["head"] - 1) == place


def test_ablation_is_the_fall_of_the_logit_without_the_head():
    loaded = reader("text-classification")
    found = head_importance(loaded, TEXT, Target("class", "good"), method="ablation")
    batch = loaded.tokenizer(TEXT, return_tensors="pt")
    place = list(loaded.labels).index("good")
    with torch.inference_mode():
        whole = float(loaded.model(**batch).logits[0, place])
        block = attention_blocks(loaded.model.base_model)[1]
        block.output.dense.weight[:, block.size : 2 * block.size] = 0
        without = float(loaded.model(**batch).logits[0, place])
    assert found.values[1, 1] == pytest.approx(whole - without, abs=1e-4)
    assert (found.said, found.unit, found.texts) == ("good", "logits", 1)


def test_the_gradient_is_the_slope_of_the_logit():
    loaded = reader("text-classification")
    found = head_importance(loaded, TEXT, Target("class", "good", against="bad"))
    batch, step = loaded.tokenizer(TEXT, return_tensors="pt"), 1e-2
    block = attention_blocks(loaded.model.base_model)[0]
    part = block.output.dense.weight[:, : block.size].clone()
    reached = []
    with torch.inference_mode():
        for factor in (1 + step, 1 - step):
            block.output.dense.weight[:, : block.size] = part * factor
            bad, good, _ = loaded.model(**batch).logits[0].tolist()
            reached.append(good - bad)
    assert found.values[0, 0] == pytest.approx(abs(reached[0] - reached[1]) / (2 * step), rel=0.03)
    assert found.said == "good rather than bad"


def test_over_labelled_rows_the_gradient_is_what_pruning_goes_by(tiny_loaded, topics):
    rows = topics.part("dev").frame
    config = CompressConfig.from_dict({"version": "models:/topics/1"})
    job = CompressJob(config, load_task("text-classification"), tiny_loaded, rows, Silent())
    pruned = pruned_importance(job, attention_blocks(tiny_loaded.model.base_model))
    found = head_importance(tiny_loaded, rows)
    assert found.values == pytest.approx(pruned, rel=1e-3, abs=1e-6)
    assert (found.said, found.unit, found.texts) == ("the loss", "nats", len(rows))


def test_over_labelled_rows_ablation_is_the_rise_of_the_loss(tiny_loaded, topics):
    rows = topics.part("dev").frame.head(3)
    found = head_importance(tiny_loaded, rows, method="ablation")
    gold = torch.tensor([tiny_loaded.labels.index(label) for label in rows["label"]])
    batch = tiny_loaded.tokenizer(rows["text"].tolist(), padding=True, return_tensors="pt")
    block = attention_blocks(tiny_loaded.model.base_model)[0]
    losses = []
    with torch.inference_mode():
        for silent in (False, True):
            if silent:
                block.output.dense.weight[:, -block.size :] = 0
            losses.append(float(torch.nn.functional.cross_entropy(tiny_loaded.model(**batch).logits, gold)))
    assert found.values[0, 3] == pytest.approx(losses[1] - losses[0], abs=1e-4)


def test_a_head_that_gives_its_mean_everywhere_is_not_missed():
    """Its output is the same for every token: the mean stands in for it without a change, and zero does not."""
    loaded = reader("text-classification")
    value = attention_blocks(loaded.model.base_model)[0].inner.value
    value.weight[:8] = 0
    value.bias[:8] = 1.0
    zero, mean = (head_importance(loaded, TEXT, method="ablation", fill=fill) for fill in ("zero", "mean"))
    assert abs(mean.values[0, 0]) < 1e-6 < 1e-3 < abs(zero.values[0, 0])
    assert mean.parameters == {"fill": "mean"}


@pytest.mark.parametrize("task", CASES)
def test_every_task_has_something_to_judge_by(task):
    given, target, output = CASES[task]
    loaded = reader(task)
    for method in IMPORTANCE:
        found = head_importance(loaded, given, target, output=output or None, method=method)
        assert found.values.shape == (len(found.values), found.values.shape[1])
        assert np.isfinite(found.values).all()
        assert np.abs(found.values).max() > 1e-5


def test_an_encoder_decoder_has_heads_of_three_kinds():
    loaded, seen = reader("translation"), []
    for kind in ("encoder", "decoder", "cross"):
        found = head_importance(loaded, "one two three", kind=kind, output="eins zwei")
        assert (found.kind, found.unit) == (kind, "nats")
        seen.append(found.values)
    assert not np.allclose(seen[0], seen[1])
    assert not np.allclose(seen[1], seen[2])


def test_a_decoder_is_judged_by_the_texts_own_tokens():
    loaded = reader("text-generation")
    found = head_importance(loaded, TEXT, method="ablation")
    ids = loaded.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    projection = loaded.model.base_model.layers[0].self_attn.o_proj.weight
    losses = []
    with torch.inference_mode():
        for silent in (False, True):
            if silent:
                projection[:, :8] = 0
            losses.append(float(loaded.model(input_ids=ids, labels=ids).loss))
    assert found.values[0, 0] == pytest.approx(losses[1] - losses[0], abs=1e-4)
    assert found.said == "the text's own tokens"


def test_a_model_without_a_head_is_judged_by_its_own_vector(tiny_loaded):
    from dataclasses import replace

    base = replace(tiny_loaded, model=tiny_loaded.model.base_model, task="", labels=())
    found = head_importance(base, "rain and bread", method="ablation")
    assert (found.said, found.unit) == ("the text's own mean vector", "share")
    assert np.abs(found.values).max() > 1e-3
    assert head_importance(base, "rain and bread").values.shape == (2, 4)


def test_the_model_itself_is_left_as_it_was():
    loaded = reader("text-classification")
    batch = loaded.tokenizer(TEXT, return_tensors="pt")
    with torch.inference_mode():
        before = loaded.model(**batch).logits
    for method in IMPORTANCE:
        head_importance(loaded, TEXT, method=method)
    with torch.inference_mode():
        assert torch.equal(loaded.model(**batch).logits, before)
    assert not any(module._forward_pre_hooks for module in loaded.model.modules())


def test_what_a_method_costs_is_known_before():
    loaded = reader("text-classification")
    assert importance_passes(loaded, "gradient", texts=5) == 15
    assert importance_passes(loaded, "ablation", texts=5) == 5 * (1 + 2 * 4)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"method": "guess"}, UnknownError, "no head importance 'guess'"),
        ({"fill": "mean"}, OptionError, "gradient has no option 'fill'"),
        ({"kind": "cross"}, InputError, "has no cross attention"),
        ({"target": Target("class", "great")}, UnknownError, "known: bad, good, odd"),
    ],
)
def test_what_is_not_there_is_refused(options, kind, said):
    with pytest.raises(kind, match=said):
        head_importance(reader("text-classification"), TEXT, **options)


@pytest.mark.parametrize("method", list(IMPORTANCE))
def test_the_work_stops_when_asked(method):
    class Stop(Silent):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        head_importance(reader("text-classification"), TEXT, method=method, report=Stop())
