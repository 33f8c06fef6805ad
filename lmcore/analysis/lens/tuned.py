"""The tuned lens: an affine map for each layer to where the last layer's vectors would be (Belrose et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.lens.layer_choices import Translate
from lmcore.analysis.lens.methods import LENSES
from lmcore.analysis.lens.states import LensStates, lens_states
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.readout import Readout, readout
from lmcore.types import Input, Part, Report, Silent

if TYPE_CHECKING:
    import torch

RIDGE = 0.1
_LOOKS = 4


@dataclass(frozen=True, eq=False)
class TunedLens:
    """Affine maps ``h + h W + b``, one for each layer below the last.

    Attributes:
        weights: W, float32 of shape (layers, features, features); layer 0 is the embedding.
        biases: b, float32 of shape (layers, features).
        plain_loss: KL from the last layer's distribution (nats, mean over tokens held out) without the map, by layer.
        loss: the same with it; never above ``plain_loss``.
        model: fingerprint of the model that it belongs to.
        version: that model's reference.
        tokens: how many tokens were learnt from, and how many were held out.
        parameters: every option.
        fingerprint: hash of model, tokens and parameters.
    """

    weights: np.ndarray
    biases: np.ndarray
    plain_loss: np.ndarray
    loss: np.ndarray
    model: str
    version: str
    tokens: tuple[int, int]
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return ``layer``, ``plain`` and ``tuned``: both losses, in nats."""
        return pd.DataFrame({"layer": range(len(self.loss)), "plain": self.plain_loss, "tuned": self.loss})

    def translation(self, loaded: LoadedModel) -> Translate:
        """Return the maps as a function of a layer and its vectors.

        Raises:
            OptionError: the lens was trained on another model.
        """
        import torch

        if loaded.fingerprint != self.model:
            raise OptionError(f"The lens was trained on {self.version}, and this is {loaded.ref}: train one for it.")
        weights, biases = torch.from_numpy(self.weights), torch.from_numpy(self.biases)

        def translate(layer: int, states: "torch.Tensor") -> "torch.Tensor":
            weight, bias = weights[layer].to(states.device), biases[layer].to(states.device)
            return states + states @ weight + bias

        return translate


def train_lens(
    loaded: LoadedModel,
    texts: Sequence[Input],
    *,
    outputs: Sequence[str] | None = None,
    report: Report | None = None,
    **options: object,
) -> TunedLens:
    """Train a tuned lens on texts like those that are to be read with it.

    A layer's map begins with the ridge regression onto the last layer's vectors (Din et al. 2023) where that is nearer
    than none, and is trained by Adam on the divergence KL(last ‖ layer). The weights with the least loss on tokens that
    are held out are kept, so that no layer is read worse than by the plain lens. It costs ``steps`` times ``batch``
    tokens through the unembedding, forward and backward, for each layer.

    Args:
        loaded: a model with a language head.
        texts: what it reads.
        outputs: what it is taken to have written for each; an encoder-decoder writes them itself where None.
        report: progress and cancellation.
        **options: of the entry ``tuned`` of the registry LENSES.

    Raises:
        InputError: there are no texts, too few tokens in them, or the model has no language head.
        OptionError: an option is out of range, or the parts of the model are not known.
        Cancelled: the report asked to stop.
    """
    import torch

    parameters = LENSES["tuned"].check(options)
    report = report or Silent()
    head = readout(loaded.model)
    seed = parameters["seed"]
    states = lens_states(loaded, texts, outputs, tokens=parameters["tokens"], seed=seed, report=Part(report, 0, 0.2))
    draw = torch.Generator().manual_seed(seed)
    batches = torch.randint(states.learnt.shape[1], (parameters["steps"], parameters["batch"]), generator=draw)
    layers = states.layers
    found = []
    for layer in range(layers):
        part = Part(report, 0.2 + 0.8 * layer / layers, 0.2 + 0.8 * (layer + 1) / layers)
        found.append(_train_layer(head, states, layer, batches, parameters["learning_rate"], part))
    return TunedLens(
        weights=np.stack([each.weight for each in found]),
        biases=np.stack([each.bias for each in found]),
        plain_loss=np.array([each.plain for each in found]),
        loss=np.array([each.loss for each in found]),
        model=loaded.fingerprint,
        version=str(loaded.ref),
        tokens=(states.learnt.shape[1], states.held.shape[1]),
        parameters=parameters,
        fingerprint=fingerprint("lens", loaded.fingerprint, states.fingerprint, parameters),
    )


@dataclass(frozen=True, eq=False)
class _Map:
    weight: np.ndarray
    bias: np.ndarray
    plain: float
    loss: float


def _train_layer(
    head: Readout, states: LensStates, layer: int, batches: "torch.Tensor", rate: float, report: Report
) -> _Map:
    import torch

    x, goal = states.learnt[layer], states.learnt[-1]
    scale = x.pow(2).mean().sqrt().clamp(min=1e-6)
    weight, bias = torch.zeros(x.shape[1], x.shape[1], device=x.device), torch.zeros(x.shape[1], device=x.device)
    best = plain = _loss_of(head, states, layer, weight, bias)
    kept = (weight.clone(), bias.clone())
    regressed = _ridge(x, goal)
    if (loss := _loss_of(head, states, layer, *regressed)) < best:
        best, kept, (weight, bias) = loss, (regressed[0].clone(), regressed[1].clone()), regressed
    weight.requires_grad_(True)
    bias.requires_grad_(True)
    steps = len(batches)
    groups = [{"params": [weight], "lr": rate / x.shape[1]}, {"params": [bias], "lr": rate * float(scale)}]
    adam = torch.optim.Adam(groups)
    slower = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / max(1, steps))
    for step, rows in enumerate(batches, 1):
        report.check()
        own = x[rows]
        with torch.enable_grad():
            far = divergence(head.logits(goal[rows]), head.logits(own + own @ weight + bias)).mean()
            torch.autograd.backward(far)
        adam.step()
        adam.zero_grad()
        slower.step()
        if step % max(1, steps // _LOOKS) == 0 or step == steps:
            now = _loss_of(head, states, layer, weight.detach(), bias.detach())
            if now < best:
                best, kept = now, (weight.detach().clone(), bias.detach().clone())
        report.progress(step / steps, f"Layer {layer}: {best:.3f} nats from the last layer, plain {plain:.3f}")
    return _Map(kept[0].cpu().numpy(), kept[1].cpu().numpy(), plain, best)


def _loss_of(head: Readout, states: LensStates, layer: int, weight: "torch.Tensor", bias: "torch.Tensor") -> float:
    """Return the mean divergence on the tokens that are held out."""
    import torch

    with torch.no_grad():
        own, goal = states.held[layer], states.held[-1]
        return float(divergence(head.logits(goal), head.logits(own + own @ weight + bias)).mean())


def divergence(goal: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
    """Return KL(goal ‖ other) of the distributions of two sets of logits, shape (tokens,), in nats."""
    logs, lasts = logits.log_softmax(dim=-1), goal.log_softmax(dim=-1)
    return (lasts.exp() * (lasts - logs)).sum(dim=-1)


def _ridge(x: "torch.Tensor", goal: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the map from vectors to their goal, drawn towards the identity where there are few."""
    import torch

    centre, rest = x.mean(dim=0), goal - x
    shift = rest.mean(dim=0)
    own = (x - centre).double()
    square = own.T @ own
    penalty = RIDGE * square.diagonal().mean() + 1e-9
    eye = torch.eye(len(square), dtype=square.dtype, device=square.device)
    weight = torch.linalg.solve(square + penalty * eye, own.T @ (rest - shift).double()).float()
    return weight, shift - centre @ weight
