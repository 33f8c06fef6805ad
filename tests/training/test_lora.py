import pytest
import torch

from lmcore.errors import Cancelled
from lmcore.models.load import load_model
from lmcore.models.start import start_model
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.training.lora import add_adapters, fit_lora
from tests.training.conftest import FULL, Recorder, Stopper

LORA = {**FULL, "method": "lora", "learning_rate": 2e-2, "rank": 4, "scale": 8}


@pytest.fixture(scope="module")
def uninterrupted(topics, tiny_ref, shared_settings, tmp_path_factory):
    from tests.training.conftest import build_job

    report = Recorder()
    scratch = tmp_path_factory.mktemp("uninterrupted")
    return fit_lora(build_job(topics, shared_settings, scratch, report=report, model=str(tiny_ref), **LORA)), report


def start(job):
    return start_model(job.config.model, job.task, job.train.frame, job.labels, seed=0, settings=job.settings)


def test_adapters_change_nothing_before_they_learn(make_job):
    job = make_job(**LORA)
    begun = start(job)
    rows = job.task.encode(begun.tokenizer, job.dev.frame, 64)
    batch = job.task.collate(begun.tokenizer, rows, range(8))
    with torch.inference_mode():
        before = begun.model(**batch).logits
        after = add_adapters(begun, job.config).eval()(**batch).logits
    assert torch.allclose(before, after, atol=1e-6)


def test_a_small_part_is_learnt_and_the_loss_falls(make_job):
    report = Recorder()
    job = make_job(report=report, **LORA | {"epochs": 14})
    first = {name: tensor.clone() for name, tensor in start(job).model.state_dict().items()}
    trained = fit_lora(job)
    losses = list(report.of("loss").values())
    assert sum(losses[-6:]) < 0.75 * sum(losses[:6])
    assert trained.dev_metrics["dev_accuracy"] >= 0.6
    found = trained.model.state_dict()
    assert found.keys() == first.keys(), "the adapters are merged: a model like any other"
    changed = {name for name in found if not torch.equal(found[name], first[name])}
    assert any("query.weight" in name for name in changed)
    assert any(name.startswith("classifier.") for name in changed)
    assert not any("embeddings" in name or "LayerNorm" in name for name in changed)
    assert trained.learnt < 0.5 * sum(tensor.numel() for tensor in first.values())


def test_the_change_of_a_matrix_has_the_rank_that_was_asked_for(make_job):
    job = make_job(**LORA | {"rank": 2})
    name = "bert.encoder.layer.0.attention.self.query.weight"
    before = start(job).model.state_dict()[name].clone()
    change = fit_lora(job).model.state_dict()[name] - before
    assert torch.linalg.matrix_rank(change, tol=1e-5) == 2


def test_merged_is_what_dev_was_measured_with(make_job):
    job = make_job(**LORA)
    trained = fit_lora(job)
    rows = job.task.encode(trained.tokenizer, job.dev.frame, 64)
    with torch.inference_mode():
        logits = trained.model(**job.task.collate(trained.tokenizer, rows, range(len(rows)))).logits
    gold = torch.from_numpy(job.task.gold(job.dev.frame, job.labels))
    assert float((logits.argmax(1) == gold).float().mean()) == pytest.approx(trained.dev_metrics["dev_accuracy"])


@pytest.mark.parametrize("at", [5, 8, 12])
def test_a_stopped_run_that_is_resumed_equals_an_uninterrupted_one(make_job, uninterrupted, at):
    trained, whole = uninterrupted
    first, second = Stopper(at), Recorder()
    job = make_job(report=first, **LORA)
    with pytest.raises(Cancelled):
        fit_lora(job)
    resumed = fit_lora(make_job(report=second, scratch=job.scratch, resume=True, **LORA))
    for name, tensor in trained.model.state_dict().items():
        assert torch.allclose(tensor, resumed.model.state_dict()[name], atol=1e-6), name
    joined = {(s, n): v for report in (first, second) for s, n, v in report.values}
    assert joined == pytest.approx({(s, n): v for s, n, v in whole.values}, abs=1e-6)


def test_it_is_registered_and_loads_like_any_model(topics, tiny_folder, settings, tracked):
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", **LORA | {"epochs": 6})
    result = train(config, topics, settings=settings)
    assert result.metrics["accuracy"] > 0.6
    assert result.version.facts["learnt_parameters"] > 0
    task, loaded = load_task(topics.task), load_model(result.version.ref, settings=settings)
    test = topics.part("test").frame
    again = task.measure(test, task.predict(loaded, test).predictions, loaded.labels)
    assert again["accuracy"] == result.metrics["accuracy"]


def test_marks_that_the_tokenizer_lacked_are_learnt_too(make_job):
    job = make_job(**LORA)
    begun = start(job)
    begun.tokenizer.add_special_tokens({"additional_special_tokens": ["<e1>"]})
    begun.model.resize_token_embeddings(len(begun.tokenizer), mean_resizing=False)
    adapted = add_adapters(begun, job.config, ("<e1>",))
    table = begun.model.get_input_embeddings()
    row = begun.tokenizer.convert_tokens_to_ids("<e1>")
    known = begun.tokenizer.convert_tokens_to_ids("rain")
    before = table(torch.tensor([row, known])).detach().clone()
    ids = torch.tensor([[2, row, known, 3]])
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=10.0)
    adapted.train()(input_ids=ids, labels=torch.tensor([0])).loss.backward()
    optimizer.step()
    after = table(torch.tensor([row, known])).detach()
    assert not torch.equal(after[0], before[0])
    assert torch.equal(after[1], before[1])


def test_a_base_without_a_configuration_beside_it_is_saved_without_asking_the_hub(make_job, tmp_path, monkeypatch):
    """A GGUF file lies in a folder that has none; every checkpoint would ask, and wait where there is no network."""
    job = make_job(**LORA)
    begun = start(job)
    begun.model.name_or_path = str(tmp_path / "weights")
    asked = []
    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *given: asked.append(given))
    add_adapters(begun, job.config).save_pretrained(tmp_path / "adapters")
    assert not asked
    assert (tmp_path / "adapters" / "adapter_model.safetensors").is_file()
