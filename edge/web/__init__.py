"""HTTP of the node: parse, call, serialise; kiosk and console pages."""
