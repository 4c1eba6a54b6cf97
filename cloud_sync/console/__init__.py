"""The web console for central admins."""
