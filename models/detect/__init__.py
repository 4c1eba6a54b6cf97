"""Text → spans that are personal, and a label: forms that validators know, a tagger of the encoder's states, rules.

`detector.Detector` is the one way in.
"""
