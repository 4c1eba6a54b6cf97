"""Rollouts: who gets what in which order, and when it stops by itself. Pure rules, and a thin service around them."""
