"""The guard of free text: what is looked for in it, what is hidden, and what may go then."""
