"""Explaining a model by its answers alone, such as those of the running prediction server."""
