"""What a model is, and how one is built, gated and run. Knows nothing of customers, documents or the network."""
