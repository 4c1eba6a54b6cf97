"""What both ends share and neither owns: errors, identity, signing, supervision, web shell."""
