"""Suites: kept test cases of a data set that every version is held against."""
