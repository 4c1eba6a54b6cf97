"""What may leave without being text: its schemas, the guard that checks and seals it, and its form on the wire."""
