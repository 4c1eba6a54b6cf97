"""The contract between node, worker, courier and control plane; the *_pb2 files are generated."""
