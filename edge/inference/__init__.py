"""Where a model runs: placement, batching, the worker process and its client."""
