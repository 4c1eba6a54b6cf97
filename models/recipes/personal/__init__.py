"""A generator of labelled sentences with invented personal data, to train and measure the tagger."""
