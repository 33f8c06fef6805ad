import numpy as np
import pytest
import torch

from lmcore.errors import Cancelled, InputError, OptionError
from lmcore.models import hidden, load_model
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.hidden import mean_pooled_states
from lmcore.training.fit import train
from lmcore.training.head import STRENGTHS, fit_head
from tests.training.conftest import Recorder, Stopper


def outputs(trained, texts):
    ids = encode_texts(trained.tokenizer, texts, 64).ids
    with torch.inference_mode():
        return trained.model(**pad_batch(trained.tokenizer, ids)).logits


@pytest.fixture
def runs(monkeypatch):
    """How many texts each run of the model read."""
    counted = []
    original = hidden.mean_pooled_states

    def counting(loaded, encodings, **options):
        counted.append(len(encodings))
        return original(loaded, encodings, **options)

    monkeypatch.setattr(hidden, "mean_pooled_states", counting)
    return counted


def test_classes_are_learnt_from_one_layer(make_job):
    report = Recorder()
    job = make_job(report=report)
    trained = fit_head(job)
    assert trained.dev_metrics["dev_accuracy"] >= 0.8
    found = outputs(trained, job.dev.frame["text"].tolist()).argmax(dim=1).numpy()
    assert (found == job.task.gold(job.dev.frame, job.labels)).mean() == trained.dev_metrics["dev_accuracy"]
    assert sorted(report.of("dev_accuracy")) == [0, 1, 2], "one value a layer"
    assert report.fractions == sorted(report.fractions)
    assert report.fractions[-1] <= 1


def test_the_layer_and_penalty_with_the_lowest_loss_on_dev_are_kept(make_job):
    tried = {}
    for layer in range(3):
        for strength in STRENGTHS:
            trained = fit_head(make_job(layer=layer, strength=strength))
            assert trained.choices == {"layer": layer, "strength": strength}
            tried[layer, strength] = trained.dev_metrics["dev_loss"]
    chosen = fit_head(make_job())
    assert (chosen.choices["layer"], chosen.choices["strength"]) == min(tried, key=tried.get)
    assert chosen.dev_metrics["dev_loss"] == pytest.approx(min(tried.values()))


def test_the_model_is_the_linear_fit_on_the_frozen_one(make_job, settings):
    job = make_job(layer=1, strength=0.1)
    trained = fit_head(job)
    texts = job.dev.frame["text"].tolist()
    base = load_model(job.config.model, task="", settings=settings)
    features = mean_pooled_states(base, encode_texts(base.tokenizer, texts, 64))[1]
    classifier = trained.model.classifier
    wanted = features @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    assert outputs(trained, texts).numpy() == pytest.approx(wanted, abs=1e-4)


def test_the_same_seed_gives_the_same_weights(make_job):
    one, other = fit_head(make_job()), fit_head(make_job())
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name])


def test_the_test_split_is_never_looked_at(topics, relabelled, tiny_ref, settings, tracked):
    config = make_config(tiny_ref)
    honest = train(config, topics, settings=settings)
    labels = topics.frame.loc[topics.frame["split"] == "test", "label"].tolist()
    poisoned = relabelled(lambda f: f["split"] == "test", text="storm storm storm", label=labels[1:] + labels[:1])
    other = train(config, poisoned, settings=settings)
    assert other.choices == honest.choices
    assert {k: v for k, v in other.metrics.items() if k.startswith("dev_")} == {
        k: v for k, v in honest.metrics.items() if k.startswith("dev_")
    }
    assert other.metrics["accuracy"] < honest.metrics["accuracy"]
    weights = [(run.version.folder / "model.safetensors").read_bytes() for run in (honest, other)]
    assert weights[0] == weights[1]


def make_config(tiny_ref):
    from lmcore.training.config import TrainConfig

    return TrainConfig("topics", model=str(tiny_ref))


def test_a_resumed_run_takes_up_the_vectors(make_job, runs):
    job = make_job(report=Stopper(6))
    with pytest.raises(Cancelled):
        fit_head(job)
    assert runs == [96, 12], "stopped after both splits were read"
    resumed = fit_head(make_job(scratch=job.scratch, resume=True))
    assert runs == [96, 12]
    whole = fit_head(make_job())
    assert runs == [96, 12, 96, 12]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name])


def test_a_run_stopped_between_the_splits_keeps_the_first(make_job, runs):
    job = make_job(report=Stopper(4))
    with pytest.raises(Cancelled):
        fit_head(job)
    assert len(list(job.scratch.glob("states-*.npy"))) == 1
    fit_head(make_job(scratch=job.scratch, resume=True))
    assert runs == [96, 12, 12]


def test_vectors_of_other_texts_are_not_taken_up(make_job, runs, relabelled):
    job = make_job()
    fit_head(job)
    other = relabelled(lambda f: f["id"] == int(job.train.frame["id"].iloc[0]), text="an entirely new text")
    fit_head(make_job(scratch=job.scratch, resume=True, data=other))
    assert runs == [96, 12, 96]


def test_without_resume_nothing_is_taken_up(make_job, runs):
    job = make_job()
    fit_head(job)
    fit_head(make_job(scratch=job.scratch))
    assert runs == [96, 12, 96, 12]


@pytest.mark.parametrize("at", [1, 3, 5, 8])
def test_it_stops_where_it_is_asked(make_job, at):
    report = Stopper(at)
    with pytest.raises(Cancelled):
        fit_head(make_job(report=report))


def test_a_layer_that_the_model_lacks_is_refused(make_job):
    with pytest.raises(OptionError, match=r"The layer is 3, but the model has the layers 0 \(embeddings\) to 2"):
        fit_head(make_job(layer=3))


def test_a_model_without_weights_is_refused(make_job):
    with pytest.raises(InputError, match="has no weights until it is trained"):
        fit_head(make_job(model="config:bert-small"))


def test_damaged_weights_are_one_sentence(make_job, tiny_folder, tmp_path):
    import shutil

    from transformers import AutoModelForSequenceClassification

    folder = shutil.copytree(tiny_folder, tmp_path / "damaged")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.fill_(np.nan)
    model.save_pretrained(folder)
    with pytest.raises(InputError, match="not finite: the model's weights"):
        fit_head(make_job(model=f"folder:{folder}"))
