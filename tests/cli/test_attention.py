"""``lmcore analyse attention``."""

import numpy as np
import pytest

from lmcore.errors import InputError

MODEL = "models:/topics@champion"
TEXT = "the bread and the cheese was very rain"


def test_a_map(ask, run, trained_home):
    found = ask("analyse", "attention", MODEL, TEXT, "--layer", "1", "--head", "2", home=trained_home)
    weights = np.array(found["weights"])
    assert found["tokens"] == found["rows"] == ["[CLS]", *TEXT.split(), "[SEP]"]
    assert weights.shape == (10, 10)
    assert weights.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)
    assert (found["layer"], found["head"], found["kind"], found["truncated"]) == (1, 2, "encoder", False)
    assert np.array(found["entropies"]).shape == np.array(found["distances"]).shape == (2, 4)
    shown = run("analyse", "attention", MODEL, TEXT, home=trained_home).stdout
    assert shown.startswith("Encoder attention in layer 2 of 2, all heads averaged")
    assert "The most focused head is head" in shown


def test_roles_and_flow(ask, run, trained_home):
    roles = ask("analyse", "attention", MODEL, TEXT, "--what", "roles", home=trained_home)
    assert len(roles["strongest"]) == 8
    assert np.array(roles["scores"]["previous_token"]).shape == (2, 4)
    flow = ask("analyse", "attention", MODEL, TEXT, "--what", "flow", "--token", "3", home=trained_home)
    assert flow["from"] == [3]
    assert np.array(flow["flow"]).shape == (1, 10)
    assert np.array(flow["rollout"]).sum() == pytest.approx(1)
    for what, said in (("roles", "The head that scores highest for each role"), ("flow", "Where most can flow to")):
        assert run("analyse", "attention", MODEL, TEXT, "--what", what, home=trained_home).stdout.startswith(said)


def test_contributions(ask, run, trained_home):
    found = ask("analyse", "attention", MODEL, TEXT, "--what", "contributions", home=trained_home)
    assert found["tokens"] == ["[CLS]", *TEXT.split(), "[SEP]"]
    assert [(each["layer"], each["block"]) for each in found["blocks"]] == [
        (1, "attention"), (1, "mlp"), (2, "attention"), (2, "mlp"),
    ]  # fmt: skip
    for each in found["blocks"]:
        assert np.array(list(each["shares"].values())).sum(axis=0) == pytest.approx(np.ones(10))
    one = ("analyse", "attention", MODEL, TEXT, "--what", "contributions", "--layer", "2", "--token", "3")
    found = ask(*one, home=trained_home)
    assert [each["layer"] for each in found["blocks"]] == [2, 2]
    assert len(found["blocks"][0]["shares"]["head 4"]) == 1
    shown = run(*one, home=trained_home).stdout
    assert shown.startswith("Of what the stream of token 3, 'bread', consists after each block")


@pytest.mark.parametrize("options", [("--method", "gradient"), ("--method", "ablation", "--fill", "mean")])
def test_importance(ask, trained_home, options):
    found = ask("analyse", "attention", MODEL, TEXT, "--what", "importance", *options, home=trained_home)
    assert (found["method"], found["unit"]) == (options[1], "logits")
    assert found["options"] == ({"fill": "mean"} if "--fill" in options else {})
    assert np.array(found["importance"]).shape == (2, 4)


def test_a_base_model_reads_a_pair(ask, trained_home, tiny_folder):
    found = ask("analyse", "attention", f"folder:{tiny_folder}", "rain", "--field", "b", "the train", home=trained_home)
    assert found["tokens"].count("[SEP]") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((MODEL, "  "), "The text is empty"),
        ((MODEL, TEXT, "--layer", "9"), "The model has 2 layers of 4 heads: give --layer and --head among them."),
        ((MODEL, TEXT, "--kind", "cross"), "has no cross attention; it has: encoder"),
        ((MODEL, TEXT, "--what", "flow", "--token", "99"), "The text has 10 tokens: give --token among them."),
        ((MODEL, TEXT, "--what", "contributions", "--token", "99"), "The text has 10 tokens: give --token among them."),
        ((MODEL, TEXT, "--what", "contributions", "--layer", "9"), "The model has 2 layers: give --layer among them."),
        ((MODEL, TEXT, "--output", "x"), "is no encoder-decoder and has no output"),
        ((MODEL, TEXT, "--what", "contributions", "--output", "x"), "writes nothing and has no output: leave it out"),
        ((MODEL, TEXT, "--what", "importance", "--fill", "mean"), "gradient has no option 'fill'"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("analyse", "attention", *arguments, home=trained_home)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--what", "maps"), ["The model reads 10 tokens twice"]),
        (("--what", "flow"), ["The model reads 10 tokens twice", "It then finds 100 flows, less than a second."]),
        (("--what", "flow", "--token", "2"), ["The model reads 10", "It then finds 10 flows, less"]),
        (
            ("--what", "flow", "--token", "2", "--trust"),
            ["The model reads 10", "It then finds 130 flows, less", "Besides, --trust takes words away"],
        ),
        (
            ("--what", "contributions", "--trust"),
            [
                "The model reads 10 tokens 3 times",
                "Besides, --trust edits the text and draws the weights of a copy anew: some twenty model calls",
            ],
        ),
    ],
)
def test_what_it_costs_is_said_before_it_runs(run, trained_home, monkeypatch, options, said):
    def stop(*_, **__):
        raise InputError("Enough.")

    for name in ("_maps", "shares_answer"):
        monkeypatch.setattr(f"lmcore.cli.attention.{name}", stop)
    notes = run("analyse", "attention", MODEL, TEXT, *options, home=trained_home).stderr.splitlines()
    notes = [note for note in notes if note.startswith(("The model reads", "It then", "Besides"))]
    assert len(notes) == len(said)
    assert all(note.startswith(start) for note, start in zip(notes, said, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        ("--kind", "cross"), ("--kind", "cross", "--what", "flow"), ("--output", "x"),
        ("--output", "x", "--what", "contributions"),
    ],
)  # fmt: skip
def test_what_is_refused_has_no_cost(run, trained_home, options):
    ended = run("analyse", "attention", MODEL, TEXT, *options, home=trained_home)
    assert ended.exit_code != 0
    assert "The model reads" not in ended.stderr


def test_how_far_it_can_be_trusted(ask, run, trained_home):
    for what in ("maps", "flow", "contributions"):
        found = ask("analyse", "attention", MODEL, TEXT, "--what", what, "--trust", "--token", "2", home=trained_home)
        checks = {each["check"]: each["value"] for each in found["trust"]["checks"]}
        assert np.isfinite(checks["Likeness with random weights"])
        assert ("Comprehensiveness" not in checks) == (what == "contributions")
        assert "Completeness error" not in checks
        assert "nan" not in str(found["trust"]["checks"])
        caveat = "it is no explanation of the answer by itself."
        assert found["trust"]["warning"].endswith(caveat) == (what != "contributions")
        assert found["trust"].get("token") == (None if what == "contributions" else 2)
    wrong = run("analyse", "attention", MODEL, TEXT, "--what", "roles", "--trust", home=trained_home)
    assert wrong.exit_code == 2
    assert "--trust goes with --what maps, flow, contributions." in wrong.stderr
