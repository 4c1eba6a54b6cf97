"""The courier process, which alone talks to the cloud: its socket, its links, what it records of them, its way out."""
