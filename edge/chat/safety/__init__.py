"""What must not wait for a search: emergencies, danger, lost cards, and questions that no machine may answer."""
