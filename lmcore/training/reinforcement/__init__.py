"""Reinforcement learning: what rewards ask for is learnt with GRPO."""
