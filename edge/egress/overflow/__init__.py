"""Texts that the control plane answers: from the node over the courier to one of its replicas, and back."""
