import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.analysis import patch_activations, patch_runs
from lmcore.analysis.asked import ask
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import Cancelled, InputError, OptionError, UnknownError
from lmcore.models.reading import read_row
from lmcore.types import Silent, Target
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, reader

CLOSE = 1e-4


def patch(name, **options):
    clean, corrupted, target, output = ASKED[name]
    return patch_activations(model(name), clean, corrupted, target, output=output, **options)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("direction", ["denoise", "noise"])
def test_patching_everything_is_the_other_run(name, direction):
    stack = {"marian": "encoder"}.get(name, "")
    found = patch(name, direction=direction, whole=True, stack=stack)
    wanted = found.clean_value if direction == "denoise" else found.corrupted_value
    assert abs(found.gap) > 0.005
    assert found.cells["value"].to_numpy() == pytest.approx(wanted, abs=CLOSE * max(1, abs(wanted)))
    assert found.cells["effect"].to_numpy() == pytest.approx(float(direction == "denoise"), abs=1e-3)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("component", ["residual", "attention", "mlp", "heads"])
def test_patching_with_itself_changes_nothing(name, component):
    clean, _, target, output = ASKED[name]
    found = patch_activations(model(name), clean, clean, target, output=output, component=component)
    assert found.cells["value"].to_numpy() == pytest.approx(found.clean_value, abs=1e-5)
    assert (found.cells["effect"] == 0).all()
    assert found.weak


def test_both_values_are_those_of_plain_runs():
    clean, corrupted, target, _ = ASKED["llama"]
    found, loaded = patch("llama"), model("llama")
    for text, value in ((clean, found.clean_value), (corrupted, found.corrupted_value)):
        reading = ask(loaded, [text], [target])[0].reading
        with torch.inference_mode():
            plain = target_values(loaded, run_tokens(loaded, [reading]), [reading], [target])[0]
        assert value == pytest.approx(plain, abs=1e-6)
    effects = (found.cells["value"] - found.corrupted_value) / (found.clean_value - found.corrupted_value)
    assert np.allclose(effects, found.cells["effect"])


def test_the_map_of_a_decoder_is_causal():
    """Before the first layer all lies in the word that differs; at the end all lies in the last token."""
    grid = patch("llama").grid()
    tokens = read_row(model("llama"), ASKED["llama"][0])
    differ = np.flatnonzero(tokens.tokens.ids != read_row(model("llama"), ASKED["llama"][1]).tokens.ids)
    assert len(differ) == 1
    assert grid.shape == (3, len(tokens))
    assert grid[0, differ[0]] == pytest.approx(1, abs=1e-3)
    assert np.delete(grid[0], differ).tolist() == pytest.approx([0.0] * (len(tokens) - 1), abs=1e-3)
    assert grid[-1, -1] == pytest.approx(1, abs=1e-3)
    assert grid[-1, :-1] == pytest.approx(0, abs=1e-3)
    assert grid[:, : differ[0]] == pytest.approx(0, abs=1e-3)


def test_a_cell_is_the_run_with_that_vector_in_it():
    loaded, (clean, corrupted, target, _) = model("gpt2"), ASKED["gpt2"]
    found = patch_activations(loaded, clean, corrupted, target)
    reading, other = ask(loaded, [clean], [target])[0].reading, read_row(loaded, corrupted)
    with torch.inference_mode():
        states = run_tokens(loaded, [reading], output_hidden_states=True).hidden_states[1][0]
        twin = loaded.twin()

        def put(module, given, out):
            changed = (out[0] if isinstance(out, tuple) else out).clone()
            changed[0, 2] = states[2]
            return (changed, *out[1:]) if isinstance(out, tuple) else changed

        twin.transformer.h[0].register_forward_hook(put)
        value = target_values(loaded, run_tokens(replace(loaded, model=twin), [other]), [reading], [target])[0]
    cell = found.cells[(found.cells["layer"] == 1) & (found.cells["position"] == 2)].iloc[0]
    assert cell["value"] == pytest.approx(value, abs=1e-5)
    assert cell["clean_token"] == reading.tokens.tokens[2]


@pytest.mark.parametrize("name", ["gpt2", "marian"])
def test_batches_make_no_difference(name):
    one, many = (patch(name, component="heads", batch_size=size) for size in (1, 32))
    assert np.allclose(one.cells["value"], many.cells["value"], atol=1e-5)
    assert one.runs == many.runs == len(one.cells) + 4


def test_both_stacks_of_an_encoder_decoder_are_patched():
    found = patch("marian")
    assert list(dict.fromkeys(found.cells["stack"])) == ["encoder", "decoder"]
    reading = read_row(model("marian"), ASKED["marian"][0], output=ASKED["marian"][3])
    assert found.grid("encoder").shape == (2, reading.first)
    assert found.grid("decoder").shape == (2, len(reading) - reading.first)
    decoder = found.cells[found.cells["stack"] == "decoder"]
    assert decoder["position"].min() == reading.first
    assert set(patch("marian", component="cross_heads").cells["stack"]) == {"decoder"}
    with pytest.raises(OptionError, match="There is no stack middle"):
        found.grid("middle")


@pytest.mark.parametrize("task", ["named-entity-recognition", "question-answering", "slot-filling"])
def test_other_tasks_are_patched_too(task):
    text, target, output = CASES[task]
    other = (
        {k: v.replace("Anna", "Ben") for k, v in text.items()}
        if isinstance(text, dict)
        else text.replace("Anna", "Ben")
    )
    found = patch_activations(reader(task), text, other, target, output=output or None, whole=True)
    assert found.cells["effect"].to_numpy() == pytest.approx(1, abs=1e-2)


def test_texts_of_another_length_are_refused_with_both_counts():
    with pytest.raises(InputError, match="The clean text has 6 tokens and the corrupted one 10"):
        patch_activations(
            model("llama"), "Ben told us on day", "Ben told us on day 7 that nothing is", ASKED["llama"][2]
        )
    gap = Target("token", "day")
    with pytest.raises(InputError, match="have their gaps at different tokens"):
        patch_activations(model("bert"), "Ben told us on [MASK] 7", "Ben told [MASK] us on 7", gap)


def test_bad_options_are_refused():
    with pytest.raises(UnknownError, match="There is no part to patch 'soul'"):
        patch("llama", component="soul")
    with pytest.raises(OptionError, match="take denoise or noise"):
        patch("llama", direction="up")
    with pytest.raises(OptionError, match="There is no layer 9: take 0 to 2"):
        patch("llama", layers=[9])
    with pytest.raises(OptionError, match="has no cross-attention"):
        patch("llama", component="cross_attention")


def test_the_cost_is_known_beforehand():
    for options in ({}, {"component": "heads"}, {"whole": True}):
        assert patch_runs(model("llama"), ASKED["llama"][0], **options) == patch("llama", **options).runs


def test_it_reports_and_stops_when_asked():
    class Stop(Silent):
        def __init__(self) -> None:
            self.seen: list[float] = []

        def progress(self, fraction: float, message: str = "") -> None:
            self.seen.append(fraction)

        def check(self) -> None:
            if len(self.seen) == 2:
                raise Cancelled("Stopped.")

    stop = Stop()
    with pytest.raises(Cancelled):
        patch("llama", batch_size=2, report=stop)
    assert len(stop.seen) == 2


def test_two_people_patch_one_model_at_once():
    wanted = patch("llama").grid()
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(patch("llama").grid())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(one, wanted, atol=1e-5) for one in found)
    assert len(found) == 2
