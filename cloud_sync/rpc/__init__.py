"""gRPC services of the control plane: parse, call, serialise."""
