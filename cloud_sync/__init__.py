"""All that runs in the cloud: the control plane of a fleet of nodes."""
