"""OpenAI's chat completions, streamed, as a client asks for them: both ends ask such servers."""
