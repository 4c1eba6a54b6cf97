"""What needs an NVIDIA GPU; its CPU leg runs in `make test`."""
