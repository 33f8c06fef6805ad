"""Neurons over a data set: how active and how selective, and for which texts."""
