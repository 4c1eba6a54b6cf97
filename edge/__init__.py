"""All that runs at the site."""
