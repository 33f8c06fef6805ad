"""Edits of a text, which of them change the answer, and the smallest set that does."""
