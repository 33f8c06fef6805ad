"""Analyses over a whole data set, and how they are kept."""
