"""Concepts: what a set of texts has in common as a direction in a layer, how an output answers to it, and factors."""
