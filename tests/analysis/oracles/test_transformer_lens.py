"""TransformerLens (Nanda & Bloom) on a tiny GPT-2: the same activations, lens, shares of a logit, patches and ablations."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from lmcore.analysis import ablate, attention_maps, attribute_logits, extract_activations, logit_lens, patch_activations
from lmcore.types import Target
from tests.analysis.inside import ASKED, model
from tests.analysis.oracles.quietly import oracle, quiet

CLOSE = 1e-4
CLEAN, CORRUPTED, TARGET, _ = ASKED["gpt2"]


@dataclass
class Lens:
    """A bridge over a copy of the model, the tokens of both texts, and what it kept of each run."""

    bridge: Any
    ids: dict[str, torch.Tensor]
    kept: dict[str, Any]
    logits: dict[str, torch.Tensor]
    wanted: tuple[int, int]

    def difference(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[0, -1, self.wanted[0]] - logits[0, -1, self.wanted[1]]

    @property
    def direction(self) -> torch.Tensor:
        return self.bridge.W_U[:, self.wanted[0]] - self.bridge.W_U[:, self.wanted[1]]


@pytest.fixture(scope="module")
def lens() -> Lens:
    bridges = oracle("transformer_lens.model_bridge")
    loaded = model("gpt2")
    tokenizer = copy.deepcopy(loaded.tokenizer)
    tokenizer.init_kwargs.update(name_or_path="tiny", add_bos_token=True)
    with quiet(), torch.no_grad():
        bridge = bridges.TransformerBridge.boot_transformers(
            "gpt2", hf_model=copy.deepcopy(loaded.model), tokenizer=tokenizer, device="cpu"
        )
        ids = {text: torch.tensor([loaded.tokenizer(text)["input_ids"]]) for text in (CLEAN, CORRUPTED)}
        runs = {text: bridge.run_with_cache(row) for text, row in ids.items()}
    names = [loaded.tokenizer(n, add_special_tokens=False)["input_ids"][0] for n in (TARGET.label, TARGET.against)]
    return Lens(
        bridge, ids, {t: kept for t, (_, kept) in runs.items()}, {t: out for t, (out, _) in runs.items()}, tuple(names)
    )


def assert_near(found: Any, wanted: Any) -> None:
    wanted = wanted.detach().numpy() if isinstance(wanted, torch.Tensor) else np.asarray(wanted)
    assert np.asarray(found).shape == wanted.shape
    assert np.abs(np.asarray(found) - wanted).max() < CLOSE * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize(
    ("component", "hook"),
    [
        ("residual", "hook_resid_post"),
        ("attention", "hook_attn_out"),
        ("mlp", "hook_mlp_out"),
        ("neurons", "mlp.hook_post"),
        ("heads", "attn.hook_z"),
    ],
)
def test_activations_of_every_component(lens, component, hook):
    found = extract_activations(model("gpt2"), [CLEAN, CORRUPTED], component=component)
    for number, text in enumerate((CLEAN, CORRUPTED)):
        assert found.encodings.ids[number] == lens.ids[text][0].tolist()
        for layer in (1, 2):
            assert_near(found.layer(layer, number), lens.kept[text][f"blocks.{layer - 1}.{hook}"][0].flatten(1))
        if component == "residual":
            assert_near(found.layer(0, number), lens.kept[text]["blocks.0.hook_resid_pre"][0])


def test_the_states_are_the_residual_stream_and_last_what_the_final_norm_makes_of_it(lens):
    found = extract_activations(model("gpt2"), [CLEAN])
    stream = lens.kept[CLEAN].accumulated_resid(layer=-1)
    assert_near(found.values[:-1], stream[:-1, 0])
    assert_near(found.layer(2, 0), lens.kept[CLEAN]["ln_final.hook_out"][0])


def test_attention_patterns(lens):
    found = attention_maps(model("gpt2"), CLEAN)
    patterns = torch.cat([lens.kept[CLEAN][f"blocks.{layer}.attn.hook_pattern"] for layer in range(2)])
    assert_near(found.attentions, patterns)


def test_the_logit_lens(lens):
    found = logit_lens(model("gpt2"), CLEAN, TARGET, top=3)
    stream = lens.kept[CLEAN].accumulated_resid(layer=-1)[:, 0]
    scores = lens.bridge.unembed(lens.bridge.ln_final(stream)).log_softmax(-1)
    rows = found.places
    top = scores[:, rows].topk(3, dim=-1)
    assert np.array_equal(found.top, top.indices.numpy())
    assert_near(found.probabilities, top.values.exp())
    assert_near(found.entropy, -(scores.exp() * scores).sum(-1)[:, rows])
    assert_near(found.values, scores[:, -1, lens.wanted[0]] - scores[:, -1, lens.wanted[1]])
    last = scores[-1][rows]
    assert_near(found.divergence, torch.stack([(last.exp() * (last - each[rows])).sum(-1) for each in scores]))


@pytest.mark.parametrize("against", ["", TARGET.against])
def test_direct_logit_attribution_by_part_and_by_head(lens, against):
    found = attribute_logits(model("gpt2"), CLEAN, Target("token", TARGET.label, against=against))
    kept, weight = lens.kept[CLEAN], lens.bridge.W_U
    reads = weight[:, lens.wanted[0]] - (weight[:, lens.wanted[1]] if against else 0)
    norm = lens.bridge.ln_final

    def through(vectors: torch.Tensor) -> torch.Tensor:
        """Centre and scale as the final norm did in this run."""
        centred = vectors - vectors.mean(-1, keepdim=True)
        return centred / kept["ln_final.hook_scale"][0, -1] * norm.weight @ reads

    heads = kept.stack_head_results(layer=-1)[:, 0, -1]
    assert_near(found.heads(), through(heads).reshape(2, 4))
    parts, labels = kept.decompose_resid(layer=-1, return_labels=True)
    scores = dict(zip(labels, through(parts[:, 0, -1]).tolist(), strict=True))
    own = found.parts
    assert_near(own.loc[own["kind"] == "embedding", "score"].sum(), scores["embed"] + scores["pos_embed"])
    for layer in (1, 2):
        at = own["layer"] == layer
        assert_near(own.loc[at & (own["kind"] == "MLP"), "score"].sum(), scores[f"{layer - 1}_mlp_out"])
        block = own["kind"].isin(["head", "attention bias"])
        assert_near(own.loc[at & block, "score"].sum(), scores[f"{layer - 1}_attn_out"])
    logits = lens.logits[CLEAN][0, -1]
    assert_near(own["score"].sum(), logits[lens.wanted[0]] - (logits[lens.wanted[1]] if against else 0))


def patched(lens: Lens, run: str, hook: str, change: Any) -> float:
    with torch.no_grad():
        return float(lens.difference(lens.bridge.run_with_hooks(lens.ids[run], fwd_hooks=[(hook, change)])))


@pytest.mark.parametrize("direction", ["denoise", "noise"])
@pytest.mark.parametrize(
    ("component", "hook"), [("residual", "hook_resid_pre"), ("attention", "hook_attn_out"), ("mlp", "hook_mlp_out")]
)
def test_patches_layer_by_position(lens, component, hook, direction):
    found = patch_activations(model("gpt2"), CLEAN, CORRUPTED, TARGET, component=component, direction=direction)
    run, source = (CORRUPTED, CLEAN) if direction == "denoise" else (CLEAN, CORRUPTED)
    grid = found.grid(values="value")
    wanted = np.zeros((2, grid.shape[1]))
    for layer in range(2):
        name = f"blocks.{layer}.{hook}"
        for position in range(grid.shape[1]):

            def put(values, hook, name=name, position=position):
                values = values.clone()
                values[:, position] = lens.kept[source][name][:, position]
                return values

            wanted[layer, position] = patched(lens, run, name, put)
    assert_near(grid[:2], wanted)  # of the residual the stream after the last layer is a third row
    assert_near(found.clean_value, lens.difference(lens.logits[CLEAN]))
    assert_near(found.corrupted_value, lens.difference(lens.logits[CORRUPTED]))


def with_head(values: torch.Tensor, head: int, new: torch.Tensor) -> torch.Tensor:
    """Return heads' outputs with those of one head replaced, whether heads have an axis of their own or not."""
    shaped = values.reshape(*values.shape[:2], 4, -1).clone()
    shaped[:, :, head] = new
    return shaped.reshape(values.shape)


def test_patches_head_by_head(lens):
    found = patch_activations(model("gpt2"), CLEAN, CORRUPTED, TARGET, component="heads").grid(values="value")
    wanted = np.zeros((2, 4))
    for layer, head in np.ndindex(2, 4):
        name = f"blocks.{layer}.attn.hook_z"
        clean = lens.kept[CLEAN][name].reshape(1, -1, 4, 8)[:, :, head]
        wanted[layer, head] = patched(lens, CORRUPTED, name, lambda v, hook, h=head, new=clean: with_head(v, h, new))
    assert_near(found, wanted)


@pytest.mark.parametrize("method", ["zero", "mean"])
def test_ablations_of_heads_and_blocks(lens, method):
    cells = ablate(model("gpt2"), CLEAN, TARGET, part="heads", method=method).cells
    for layer, head in np.ndindex(2, 4):
        name = f"blocks.{layer}.attn.hook_z"
        own = lens.kept[CLEAN][name].reshape(1, -1, 4, 8)[:, :, head]
        new = torch.zeros_like(own) if method == "zero" else own.mean(dim=1, keepdim=True)
        wanted = patched(lens, CLEAN, name, lambda v, hook, h=head, new=new: with_head(v, h, new))
        assert_near(cells[(cells["layer"] == layer + 1) & (cells["head"] == head + 1)]["value"].iloc[0], wanted)
    for part, hook in (("attention", "hook_attn_out"), ("mlp", "hook_mlp_out")):
        cells = ablate(model("gpt2"), CLEAN, TARGET, part=part, method=method).cells
        for layer in range(2):
            name = f"blocks.{layer}.{hook}"
            mean = lens.kept[CLEAN][name].mean(dim=1, keepdim=True) * float(method == "mean")
            wanted = patched(lens, CLEAN, name, lambda v, hook, new=mean: new.expand_as(v))
            assert_near(cells.loc[cells["layer"] == layer + 1, "value"].iloc[0], wanted)
