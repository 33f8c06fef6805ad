"""Output reading: what a model would say after each of its layers."""
