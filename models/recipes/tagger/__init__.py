"""The tagger of personal data: its network, its training on the generator's sentences, and the file that is shipped."""
