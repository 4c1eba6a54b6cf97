"""Test vectors that several implementations share, and the naive routines that made them."""
