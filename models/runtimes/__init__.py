"""One file a runtime, behind the ports in `port`. Importing this package imports no runtime."""
