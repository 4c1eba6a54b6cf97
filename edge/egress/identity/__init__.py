"""Who the site is to its control plane: enrolled, kept, renewed."""
