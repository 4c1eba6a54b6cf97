"""What customers want: a small classifier that the site trains itself, on the embedding that retrieval uses anyway."""
