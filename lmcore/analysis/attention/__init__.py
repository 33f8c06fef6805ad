"""Attention: maps, rollout and flow, and what single heads do."""
