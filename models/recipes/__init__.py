"""How the files of a model are made on this machine: fetch, emit, quantise. Running them is `models.runtimes`."""
