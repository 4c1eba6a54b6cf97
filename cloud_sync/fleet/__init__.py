"""Nodes, desired state, alerts: pure rules and thin services."""
