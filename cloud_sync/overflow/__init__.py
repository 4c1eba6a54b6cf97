"""Generation for nodes that cannot in time: a model in this process, or any OpenAI-compatible server."""
