"""The site console at `/console/`: pages for the staff. Who may do what: `rules`; before it is loaded: `door`."""
