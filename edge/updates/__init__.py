"""Models, knowledge, policies and software from the control plane: fetched, checked, tried, watched, kept or undone."""
