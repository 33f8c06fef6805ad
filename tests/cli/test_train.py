"""``lmcore train`` and ``lmcore evaluate``."""

import json

import pytest

from lmcore.jobs import JobBoard
from lmcore.memory import Memory
from lmcore.settings import Workspace
from lmcore.training.evaluation import load_evaluation
from lmcore.training.job import TARGET

METRICS = {"accuracy", "precision_macro", "recall_macro", "f1_macro"}


def test_training_answers_with_the_version_and_its_metrics(trained_home):
    found = json.loads((trained_home / "answer.json").read_text())
    assert found["version"] == "models:/topics/1"
    assert found["data"] == "topics@1:test"
    assert set(found["metrics"]) >= METRICS | {"dev_accuracy"}
    assert set(found["intervals"]) == METRICS
    assert [row["name"] for row in found["baselines"]] == ["majority class", "TF-IDF + logistic regression"]
    assert set(found["choices"]) == {"layer", "strength"}
    assert found["estimate"]["seconds"] > 0
    kept = load_evaluation(Workspace(trained_home), found["evaluation"])
    assert kept.metrics["accuracy"] == found["metrics"]["accuracy"]


def test_training_for_people(run, trained_home, tiny_folder):
    result = run("train", "topics@1", "--name", "again", "--model", tiny_folder, "--layer", "1", home=trained_home)
    assert result.exit_code == 0
    assert result.stdout.startswith("models:/again/1 was trained in")
    assert "TF-IDF" in result.stdout
    assert result.stdout.endswith("Make it the champion with: lmcore models promote again 1\n")
    assert result.stderr.startswith("This takes about")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("topics@1", "--model", "nosuch"), "There is no model 'nosuch'; known: all-MiniLM-L6-v2, bert-small"),
        (("topics@1", "--model", "models:/nosuch@champion"), "There is no registered model 'nosuch'"),
        (
            ("topics@1", "--method", "head", "--model", "config:bert-small"),
            "config:bert-small has random weights, and the method head begins with trained weights",
        ),
        (("topics@1", "--layer", "x"), "The option layer is 'x': give a whole number from 0"),
        (("topics@1", "--layer", "99"), "The layer is 99, but the model has the layers 0 (embeddings) to 2."),
        (("topics@1", "--epochs", "3"), "head has no option 'epochs'; it takes: seed"),
        (("topics@1", "--name", "../x"), "is not a usable name"),
        (("nosuch@1",), "There is no stored data set 'nosuch@1'"),
        (("file.csv",), "'file.csv' is not a stored data set: write name@version"),
        (("whole@1",), "is not split yet"),
        (("single@1",), "has only the class 'x': a classifier needs at least two"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(refused, home_with_odd_data, tiny_folder, arguments, said):
    model = () if "--model" in arguments else ("--model", tiny_folder)
    assert said in refused("train", *arguments, *model, home=home_with_odd_data)


@pytest.fixture(scope="session")
def home_with_odd_data(tmp_path_factory, topics):
    import pandas as pd

    from lmcore.data import DatasetStore, TextDataset, split_dataset

    home = tmp_path_factory.mktemp("odd") / "home"
    store = DatasetStore(Workspace(home))
    single = pd.DataFrame({"id": range(9), "text": [f"text {n}" for n in range(9)], "label": "x"})
    store.save(topics)
    store.save(TextDataset("whole", topics.task, topics.frame.drop(columns="split")))
    store.save(split_dataset(TextDataset("single", topics.task, single)))
    return home


def test_a_pickle_is_refused(refused, trained_home, tiny_folder, tmp_path):
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in tiny_folder.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    said = refused("train", "topics@1", "--model", folder, home=trained_home)
    assert said.startswith("pytorch_model.bin in ")
    assert "is a pickle, which can run code when it is opened" in said


def test_background_and_resume_do_not_go_together(run):
    result = run("train", "topics@1", "--background", "--resume")
    assert result.exit_code == 2
    assert "lmcore jobs resume" in result.stderr


def test_in_the_background_it_is_a_job(ask, trained_home, tiny_folder):
    found = ask("train", "topics@1", "--name", "later", "--model", tiny_folder, "--background", home=trained_home)
    board = JobBoard(Workspace(trained_home))
    job = board.cancel(found["job"]["id"])
    assert (job.kind, job.title, job.needs_bytes) == ("train", "Train later on topics@1", found["estimate"]["nbytes"])
    assert (job.target, job.config["data"], job.config["train"]["name"]) == (TARGET, "topics@1", "later")
    assert board.wait(job.id, 60).state.ended


def test_several_workers_need_a_method_and_a_batch_that_they_can_share(refused, trained_home, tiny_folder, monkeypatch):
    monkeypatch.setattr("lmcore.training.estimate.estimate_training", lambda *given: pytest.fail("it was timed first"))
    full = ("train", "topics@1", "--model", tiny_folder, "--method", "full", "--batch-size", "16")
    assert "The method head runs in one process" in refused(*full[:4], "--workers", "2", home=trained_home)
    assert "cannot be shared by 3 workers" in refused(*full, "--workers", "3", home=trained_home)


def test_what_does_not_fit_into_memory_is_refused_with_the_figures(refused, trained_home, tiny_folder, monkeypatch):
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, 1 << 20))
    said = refused("train", "topics@1", "--model", tiny_folder, home=trained_home)
    assert "MiB of memory and 1 MiB are free: take a smaller model" in said
    assert "1 MiB are free" in refused("search", "topics@1", "--model", tiny_folder, "--trials", "2", home=trained_home)


def test_a_cluster_needs_an_address_and_a_token(refused, trained_home, tiny_folder, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    full = ("train", "topics@1", "--model", tiny_folder, "--method", "full", "--cluster")
    assert "No Ray cluster is set up" in refused(*full, home=trained_home)
    monkeypatch.setenv("LMSCOPE_RAY_ADDRESS", "http://127.0.0.1:1")
    assert "used with a token alone" in refused(*full, home=trained_home)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret-of-the-cluster")
    said = refused(*full, home=trained_home)
    assert "The Ray cluster at http://127.0.0.1:1 does not answer" in said
    assert "secret-of-the-cluster" not in said


def test_evaluating_keeps_the_result(ask, trained_home):
    found = ask("evaluate", "models:/topics@champion", "topics@1", "--split", "dev", home=trained_home)
    assert (found["version"], found["data"], found["parameters"]["rows"]) == ("models:/topics/1", "topics@1:dev", 12)
    assert set(found["metrics"]) == METRICS
    assert {row["label"] for row in found["by_class"]} == {"food", "travel", "weather"}
    assert sum(row["rows"] for row in found["confusion"]) == 12
    assert len(load_evaluation(Workspace(trained_home), found["id"]).predictions) == 12


def test_evaluating_for_people(run, trained_home):
    shown = run("evaluate", "models:/topics/1", "topics@1", home=trained_home).stdout
    assert shown.startswith("models:/topics/1 on 12 rows of topics@1:test:")
    assert "Macro F1" in shown
    assert "By class" in shown


@pytest.mark.parametrize(
    ("version", "data", "said"),
    [
        ("models:/nosuch@champion", "topics@1", "There is no registered model 'nosuch'; known: "),
        ("models:/topics/99", "topics@1", "There is no version or alias of topics '99'"),
        ("models:/topics", "topics@1", "write models:/name/3 or models:/name@champion"),
        ("models:/topics/1", "topics@9", "There is no stored data set 'topics@9'; known: topics@1"),
    ],
)
def test_evaluating_what_is_not_there(refused, trained_home, version, data, said):
    assert said in refused("evaluate", version, data, home=trained_home)
