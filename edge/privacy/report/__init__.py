"""The documents that data protection law asks a site for, made from what it is and does: `postern privacy report`.

`facts.py` says what is known of a site, `document.py` what a report is made of. Between them are functions without
I/O, a file for each document. Whatever a machine cannot know is a gap that the controller fills in.
"""
