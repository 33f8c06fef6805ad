"""Causal tests: ablation, activation patching and steering."""
