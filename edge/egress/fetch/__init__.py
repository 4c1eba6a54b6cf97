"""What a node updates itself from: asked for by the node, checked and fetched by the courier."""
