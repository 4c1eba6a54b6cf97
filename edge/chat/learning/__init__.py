"""Learning from corrections: what staff and customers said of answers refits the site's own small models."""
