"""Training in several processes: here, by torchrun, and on a Ray cluster."""
