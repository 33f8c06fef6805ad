"""Rows of the training data that stand nearest to a text, and those that an answer hangs on."""
