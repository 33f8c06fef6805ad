from dataclasses import replace

import pytest

from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES
from lmcore.errors import OptionError
from lmcore.tasks import TASKS
from lmcore.training.defaults import default_config, default_settings, fitting_methods


@pytest.mark.parametrize("name", [name for name, s in SAMPLES.items() if TASKS[s.facts["task"]].facts["methods"]])
def test_every_sample_has_a_configuration_that_holds(name):
    facts = SAMPLES[name].facts
    config = default_config(load_dataset(f"sample:{name}", task=facts["task"]))
    assert config.model == TASKS[facts["task"]].facts["models"][facts["language"]]
    assert config.method in TASKS[facts["task"]].facts["methods"]
    assert config.checked() == config


def test_what_is_chosen_already_stays(topics):
    config = default_config(topics, model="config:bert-small")
    assert (config.model, config.method, config.learning_rate, config.epochs) == (
        "config:bert-small",
        "scratch",
        5e-4,
        10,
    )
    assert default_config(topics, method="full").learning_rate == 5e-5
    chinese = replace(topics, frame=topics.frame.assign(text="今天天气很好"))
    assert default_config(chinese).model == "config:bert-small"


def test_a_frozen_model_needs_trained_weights():
    assert "head" in fitting_methods("text-classification", "packaged:all-MiniLM-L6-v2")
    assert "head" not in fitting_methods("text-classification", "config:bert-small")
    assert fitting_methods("text-classification", "config:bert-small") == ["scratch"]
    assert default_settings("text-classification", "head") == {}


def test_a_task_without_training_has_no_configuration():
    pairs = load_dataset("sample:words-en-fr", task="text-alignment")
    with pytest.raises(OptionError, match="Nothing trains packaged:all-MiniLM-L6-v2 for text-alignment"):
        default_config(pairs)
