"""Rewards that rise, a divergence that begins at 0 and is held by its weight, and runs that are the same after a stop."""

import importlib.util
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import Cancelled, LmError, OptionError, ResourceError
from lmcore.memory import Memory
from lmcore.models import load_model
from lmcore.models.encode import pad_batch
from lmcore.serving.predictor import Predictor
from lmcore.training.card import model_card
from lmcore.training.config import TrainConfig
from lmcore.training.estimate import estimate_training
from lmcore.training.evaluation import load_evaluation
from lmcore.training.fit import train
from lmcore.training.methods import check_method
from lmcore.training.reinforcement.grpo import check_policy, fit_policy
from lmcore.training.reinforcement.policy import _count_places
from tests.tasks.speakers import rule_frame, speaker
from tests.tasks.writers import number_data
from tests.training.conftest import Recorder, Stopper, build_job

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed")

GRPO = {
    "task": "text-generation",
    "method": "grpo",
    "reward": "format",
    "pattern": "[a-z ]+",
    "batch_size": 32,
    "learning_rate": 3e-2,
    "schedule": "constant",
    "warmup": 0.0,
    "epochs": 2,
    "steps": 14,
    "new_tokens": 8,
    "max_length": 64,
    "save_steps": 3,
}


@pytest.fixture(scope="module")
def data():
    return split_dataset(TextDataset("rule", "text-generation", rule_frame()), seed=1)


@pytest.fixture(scope="module")
def few(data):
    """Eleven rows to learn from."""
    frame = data.frame
    chosen = frame.groupby("split").head(11)
    return replace(data, frame=chosen.reset_index(drop=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small decoder with random weights, as a folder."""
    folder = tmp_path_factory.mktemp("policy")
    loaded = speaker("text-generation")
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return f"folder:{folder}"


@pytest.fixture
def run(data, model, settings, tmp_path):
    """Return a function that trains and gives what was trained and what was reported."""

    def found(*, report=None, scratch="s", resume=False, data=data, **options):
        report = report or Recorder()
        given = {"model": model, **GRPO, **options}
        job = build_job(data, settings, tmp_path / scratch, report=report, resume=resume, **given)
        return fit_policy(job), report

    return found


def ends(report, name="reward", steps=4):
    values = list(report.of(name).values())
    return float(np.mean(values[:steps])), float(np.mean(values[-steps:]))


def test_a_format_is_learnt_and_the_divergence_is_held_by_its_weight(run):
    trained, free = run(kl_weight=0.02, scratch="free")
    first, last = ends(free)
    assert last > first + 0.2
    assert free.of("dev_reward")[14] == trained.dev_metrics["dev_reward"] > first + 0.2
    assert free.of("kl")[1] == 0.0
    assert ends(free, "kl")[1] > 0.2
    _, held = run(kl_weight=2.0, scratch="held")
    assert held.of("kl")[1] == 0.0
    assert 0 < ends(held, "kl")[1] < 0.5 * ends(free, "kl")[1]
    assert sorted(free.of("reward")) == sorted(free.of("loss")) == sorted(free.of("length")) == list(range(1, 15))
    assert max(free.of("length").values()) <= 8
    assert free.fractions == sorted(free.fractions)
    assert "forward" not in trained.model.__dict__, "TRL's forward pass is taken off again"


def test_a_length_is_learnt(run):
    _, report = run(reward="length", words=6, kl_weight=0.0, steps=20, epochs=3)
    first, last = ends(report, steps=5)
    assert last > first + 0.1
    assert not report.of("kl"), "without a weight it is not measured"


def test_a_classifier_is_pleased(data, model, trained, shared_settings, tmp_path):
    given = {**GRPO, "model": model, "reward": "classifier", "classifier": str(trained.version.ref), "label": "travel"}
    report = Recorder()
    fit_policy(build_job(data, shared_settings, tmp_path / "s", report=report, **given | {"kl_weight": 0.0}))
    first, last = ends(report)
    assert last > first + 0.1


def test_two_rewards_are_added_by_their_weights(run):
    _, report = run(second_reward="length", second_weight=3.0, words=4, steps=2)
    for step, value in report.of("reward").items():
        parts = report.of("reward_format")[step], report.of("reward_length")[step]
        assert value == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"adapters": True, "rank": 2, "accumulation": 2, "batch_size": 8}])
def test_a_stopped_run_that_is_resumed_equals_an_uninterrupted_one(run, few, options):
    options = {"data": few, "group": 4, "batch_size": 16, "steps": 5, "epochs": 3} | options
    whole, report = run(scratch="whole", **options)
    assert sorted(report.of("dev_reward")) == [2, 4, 5], "an epoch has two steps"
    first, second = Stopper(3), Recorder()
    with pytest.raises(Cancelled, match="the run can be resumed"):
        run(scratch="halted", report=first, **options)
    resumed, _ = run(scratch="halted", report=second, resume=True, **options)
    assert sorted(first.of("reward")) == [1, 2, 3]
    assert sorted(second.of("reward")) == [4, 5]
    for name in ("reward", "loss", "kl", "length", "dev_reward"):
        joined = first.of(name) | second.of(name)
        assert joined == pytest.approx(report.of(name), abs=1e-6), name
    for name, tensor in whole.model.state_dict().items():
        assert torch.allclose(tensor, resumed.model.state_dict()[name], atol=1e-6), name
    assert whole.choices == resumed.choices


def test_a_run_that_had_ended_is_not_gone_on_with(run):
    whole, _ = run(steps=2)
    again, report = run(steps=2, resume=True)
    assert not report.of("loss")
    assert again.dev_metrics == whole.dev_metrics
    assert all(torch.equal(t, again.model.state_dict()[n]) for n, t in whole.model.state_dict().items())


def test_a_version_is_registered_measured_before_and_after_and_loads(data, model, settings, tracked):
    config = TrainConfig("policy", **{**GRPO, "model": model, "adapters": True, "rank": 4, "steps": 3})
    result = train(config, data, settings=settings)
    kept = load_evaluation(settings.workspace, result.evaluation.id)
    rewards = kept.tables["rewards"].set_index("model")
    assert rewards.index.tolist() == ["before", "after", "difference"]
    assert rewards.loc["difference", "value"] == pytest.approx(
        rewards.loc["after", "value"] - rewards.loc["before", "value"]
    )
    assert (rewards["low"] <= rewards["value"]).all()
    assert (rewards["value"] <= rewards["high"]).all()
    completions = kept.tables["completions"]
    assert completions["id"].tolist() == data.part("test").frame["id"].tolist()
    assert completions["reward_after"].mean() == pytest.approx(rewards.loc["after", "value"])
    assert set(result.metrics) >= {"perplexity", "distinct_1", "dev_reward"}
    loaded = load_model("models:/policy/1", settings=settings)
    (answer,) = Predictor(loaded).predict(["Anna told us"])
    assert isinstance(answer.text, str)
    base = load_model(model, task="text-generation", settings=settings).model.state_dict()
    changed = {name for name, tensor in loaded.model.state_dict().items() if not torch.equal(tensor, base[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("embed" in name or "norm" in name for name in changed)
    assert "The mean reward on 10 rows that the model did not learn from" in model_card(
        "models:/policy/1", settings=settings
    )


def test_a_template_is_the_prompt_of_tasks_that_write_from_a_text(settings, tmp_path, model):
    report = Recorder()
    data = number_data("translation", rows=60)
    given = {**GRPO, "task": "translation", "model": model, "reward": "bleu", "max_length": 200, "steps": 1}
    folder = tmp_path / "wide"
    wide = speaker("text-generation", max_length=200)
    wide.tokenizer.model_max_length = 200
    wide.model.save_pretrained(folder)
    wide.tokenizer.save_pretrained(folder)
    job = build_job(data, settings, tmp_path / "s", report=report, **given | {"model": f"folder:{folder}"})
    trained = fit_policy(job)
    seen = trained.tokenizer.decode(trained.encodings.ids[0])
    assert seen.startswith("<s>Translate the text.\n\nText: ")
    assert seen.endswith("\nTranslation:")
    assert report.of("reward")


def test_an_encoder_decoder_is_refused_before_the_start(settings, tmp_path):
    from transformers import BartConfig, BartForConditionalGeneration

    data, folder, tokenizer = number_data(), tmp_path / "m", speaker("text-generation").tokenizer
    sizes = {f"{part}_{name}": 1 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}
    config = BartConfig(vocab_size=len(tokenizer), d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, **sizes)
    BartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    given = {**GRPO, "task": "translation", "model": f"folder:{folder}"}
    with pytest.raises(OptionError, match="is an encoder-decoder, and rewards train decoders alone"):
        fit_policy(build_job(data, settings, tmp_path / "s", **given))
    with pytest.raises(OptionError, match="is an encoder-decoder, and rewards train decoders alone"):
        estimate_training(TrainConfig("x", **given), data, settings)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 12}, "A step writes 12 texts in groups of 8: let batch_size"),
        ({"batch_size": 1024}, "A step takes 128 prompts, and the train split has 77 rows"),
        ({"second_reward": "format"}, "Both rewards are format: choose another second one, or none"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"new_tokens": 512}, "leaves .* of 64 tokens, and 512 are to be written: lower new_tokens"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(run, options, sentence):
    with pytest.raises(OptionError, match=sentence):
        run(**options)


def test_a_method_that_is_not_installed_says_how_to_install_it(monkeypatch):
    from lmcore.training import methods
    from lmcore.training.defaults import fitting_methods

    assert "grpo" in fitting_methods("text-generation", "gguf:x")
    assert "grpo" not in fitting_methods("text-classification", "gguf:x")
    assert "grpo" not in fitting_methods("text-generation", "config:llama-small")
    check_method("grpo", "text-generation", "gguf:x")
    monkeypatch.setattr(methods.importlib.util, "find_spec", lambda name: None)
    assert fitting_methods("text-generation", "gguf:x") == ["full", "lora"]
    with pytest.raises(OptionError, match=r"needs the package trl: run pip install 'lmscope\[rl\]'"):
        check_method("grpo", "text-generation", "gguf:x")


def test_weights_that_are_no_numbers_are_one_sentence(run, model, tmp_path):
    folder = shutil.copytree(model.removeprefix("folder:"), tmp_path / "damaged")
    loaded = speaker("text-generation").model
    with torch.no_grad():
        loaded.model.norm.weight.fill_(float("nan"))
    loaded.save_pretrained(folder)
    with pytest.raises(LmError, match=r"are not numbers any more: lower the learning rate \(0\.03\)"):
        run(model=f"folder:{folder}")


def test_memory_that_runs_out_is_one_sentence(run, monkeypatch):
    def refuse(self, *given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.Trainer.training_step", refuse)
    with pytest.raises(ResourceError, match="ran out of memory with 32 texts at once: halve batch_size"):
        run(steps=1)


def test_what_does_not_fit_into_memory_does_not_begin(run, monkeypatch, tmp_path):
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, 1 << 10))
    with pytest.raises(ResourceError, match=r"This takes about [\d,]+ MiB of memory and 0 MiB are free"):
        run(steps=1)
    assert not list((tmp_path / "s").iterdir()), "it was refused before anything was written"


def test_the_estimate_grows_with_the_texts_that_are_written(data, model, settings):
    config = TrainConfig("x", **{**GRPO, "model": model, "steps": 0})
    few = estimate_training(replace(config, steps=1), data, settings)
    many = estimate_training(replace(config, epochs=100, new_tokens=16), data, settings)
    assert many.seconds > few.seconds
    with pytest.raises(OptionError, match="needs a registered version"):
        estimate_training(replace(config, reward="classifier"), data, settings)


def test_a_padded_text_is_scored_as_by_itself():
    """TRL pads on the left without saying where a text begins: a decoder with absolute places would be off."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    tokenizer = speaker("text-generation").tokenizer
    decoder = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_embd=32, n_head=2, n_positions=64)
    ).eval()
    ids = [[7, 8, 9], [7, 8, 9, 10, 11, 12, 13]]
    both, alone = pad_batch(tokenizer, ids, "cpu", left=True), pad_batch(tokenizer, ids[:1], "cpu", left=True)
    with torch.inference_mode():
        wanted = decoder(**alone).logits
        assert not torch.allclose(decoder(**both).logits[:1, -3:], wanted, atol=1e-3)
        _count_places(decoder)
        assert torch.allclose(decoder(**both).logits[:1, -3:], wanted, atol=1e-5)


def test_check_policy_counts_accumulated_batches():
    config = TrainConfig("x", method="grpo", batch_size=4, accumulation=2, group=8)
    check_policy(config, 1)
    with pytest.raises(OptionError, match="has 0 rows"):
        check_policy(config, 0)


def test_a_search_compares_rewards_and_leaves_what_is_rewarded_alone():
    from lmcore.training.tuning.result import searched_metric
    from lmcore.training.tuning.space import default_space, searchable

    config = TrainConfig("x", **GRPO)
    assert searched_metric(config).name == "reward"
    assert searched_metric(config).higher
    assert {"kl_weight", "group", "learning_rate"} <= searchable("grpo", "text-generation").keys()
    assert not {"reward", "words", "pattern", "temperature"} & searchable("grpo", "text-generation").keys()
    assert default_space(config)["learning_rate"].low == 1e-6
