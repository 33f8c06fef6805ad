"""What `lmcore.analysis.probes.probing` is made of: what is probed, by which probe, and how its success is judged."""
