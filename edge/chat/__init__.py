"""One customer turn, top to bottom: session, safety, retrieval, answer, routing, hand-over."""
