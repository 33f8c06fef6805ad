"""The neurons of a model over a data set: how active, how selective, and which texts they answer to."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.neurons.reader import NeuronReader
from lmcore.analysis.neurons.report import NeuronConfig, NeuronReport, NeuronTokens
from lmcore.analysis.neurons.selectivity import halves
from lmcore.analysis.probabilities import token_text
from lmcore.analysis.room import fitting_batch
from lmcore.analysis.sources import Source, open_source
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.methods import with_settings
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import BATCH_SIZE
from lmcore.models.load import LoadedModel
from lmcore.types import Part, Report, Silent

_ONE_SIDED = frozenset({"relu", "relu2", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "silu", "swish"})


def find_neurons(
    loaded: LoadedModel,
    texts: "Sequence[str] | pd.DataFrame",
    labels: Sequence[str] | None = None,
    *,
    config: NeuronConfig | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
    **settings: Any,
) -> NeuronReport:
    """Run a model over texts and say of every neuron how active it is, of each layer how sparse, of labels who tells them.

    Everything is added up batch by batch: memory does not grow with the number of texts. Where there are labels, neurons
    are chosen for each by their effect on one half of the texts and measured on the other, so that having chosen among
    thousands does not flatter them.

    Args:
        loaded: a model whose parts are known.
        texts: what it reads: texts, or a data set's rows, whose ``label`` is then read too.
        labels: one a text; None for the rows' own, or none.
        config: how neurons are looked at.
        batch_size: texts in one forward pass, at most: fewer where memory is short.
        report: progress and cancellation.
        **settings: fields of `NeuronConfig`, in place of those of ``config``.

    Raises:
        InputError: there are no texts, or not as many labels.
        OptionError: a setting is not valid, or the model has no such component.
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    config = with_settings(config or NeuronConfig(), settings, name="find_neurons")
    texts, labels = _texts_and_labels(texts, labels)
    report = report or Silent()
    source = _open(loaded, texts, config)
    kept = len(source.parts or ()) * math.ceil(source.width / int(loaded.model.base_model.config.hidden_size))
    batch_size = fitting_batch(loaded, int(source.read.lengths.max()), batch_size, read=0, kept=kept)
    activation, signed = _activation(loaded, source)
    split = halves(labels if labels is not None else [""] * len(texts), config.seed)
    reader = NeuronReader(source, config, signed, split, batch_size)
    share = len(split.choose) / len(texts)
    reader.choose(Part(report, 0.0, share))
    selective = reader.measure(Part(report, share, 1.0))
    digits = fingerprint(loaded.fingerprint, source.own.ids, list(labels or ()), str(config))
    return _report(reader, selective, activation, config, digits)


def neuron_tokens(
    loaded: LoadedModel,
    texts: Sequence[str],
    layer: int,
    neuron: int,
    *,
    component: str = "neurons",
    stack: str | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> list[NeuronTokens]:
    """Return a neuron's value at every token of some texts, for showing them.

    Args:
        loaded: a model whose parts are known.
        texts: what it reads.
        layer: whose neuron.
        neuron: its number, from 0.
        component: ``neurons``, or the features of what else a layer gives.
        stack: of an encoder-decoder ``encoder`` (where None) or ``decoder``.
        batch_size: texts in one forward pass.
        report: progress and cancellation.

    Raises:
        InputError: there are no texts, or no such neuron.
        OptionError: the model has no such component or layer.
        Cancelled: the report asked to stop.
    """
    source = _open(loaded, list(texts), NeuronConfig(component=component, stack=stack, layers=(layer,)))
    if not 0 <= neuron < source.width:
        raise InputError(f"There is no neuron {neuron} in layer {layer}: give 0 to {source.width - 1}.")
    special = set(loaded.tokenizer.all_special_ids) - {loaded.tokenizer.unk_token_id}
    found: list[NeuronTokens | None] = [None] * len(texts)
    for batch in source.stream(batch_size, report):
        for place, row in enumerate(batch.rows.tolist()):
            ids = source.own.ids[row]
            values = batch.states[0][place, : len(ids), neuron].float().cpu().numpy()
            names = tuple(token_text(loaded.tokenizer, token) for token in ids)
            found[row] = NeuronTokens(names, values, np.array([token in special for token in ids], dtype=bool))
    return [item for item in found if item is not None]


def _texts_and_labels(
    texts: "Sequence[str] | pd.DataFrame", labels: Sequence[str] | None
) -> tuple[list[str], Sequence[str] | None]:
    if isinstance(texts, pd.DataFrame):
        labels = texts["label"].tolist() if labels is None and "label" in texts else labels
        texts = texts["text"].tolist()
    if isinstance(texts, str):
        raise InputError("One text was given in place of a list: put it into a list.")
    if not len(texts):
        raise InputError("There are no texts: give at least one.")
    if labels is not None and len(labels) != len(texts):
        raise InputError(f"There are {len(labels)} labels for {len(texts)} texts: give one for each.")
    return list(texts), labels


def _open(loaded: LoadedModel, texts: list[str], config: NeuronConfig) -> Source:
    if not texts:
        raise InputError("There are no texts: give at least one.")
    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    return open_source(loaded, encodings, config.component, config.stack, layers=config.layers)


def _activation(loaded: LoadedModel, source: Source) -> tuple[str, bool]:
    """Return the activation function's name, and whether what is read has both signs."""
    config, parts = loaded.model.base_model.config, source.parts or ()
    if not parts or parts[0].kind != "neurons":
        return "", True
    block = loaded.model.get_submodule(parts[0].path.rpartition(".")[0])
    gated = hasattr(block, "gate_proj") or hasattr(block, "wi_0")
    names = ("hidden_act", "activation_function", "dense_act_fn", "activation")
    name = str(next(getattr(config, n) for n in names if getattr(config, n, None)))
    return f"gated {name}" if gated else name, gated or name not in _ONE_SIDED


def _report(
    reader: NeuronReader, selective: pd.DataFrame, activation: str, config: NeuronConfig, digits: str
) -> NeuronReport:
    sums = reader.sums
    if not sums.tokens:
        raise InputError("The texts have no token that counts: give some with words.")
    active = sums.active / sums.tokens
    dead = (active == 0).sum(axis=1)
    layers = pd.DataFrame(
        {
            "layer": reader.numbers,
            "norm": sums.norms / sums.tokens,
            "sparsity": 1 - active.mean(axis=1),
            "hoyer": sums.hoyer / sums.tokens,
            "dead": dead,
            "dead_share": dead / active.shape[1],
        }
    )
    return NeuronReport(
        layers=layers,
        mean=np.stack([moments.mean for moments in sums.moments]),
        deviation=np.sqrt(np.stack([moments.variance for moments in sums.moments])),
        smallest=sums.smallest,
        largest=sums.largest,
        active=active,
        active_texts=sums.active_texts / max(sums.texts, 1),
        selective=selective,
        top=sums.top_texts(),
        numbers=reader.numbers,
        activation=activation,
        signed=reader.signed,
        threshold=reader.threshold,
        pooling=reader.pooling,
        tokens=sums.tokens,
        texts=sums.texts,
        config=config,
        fingerprint=digits,
    )
