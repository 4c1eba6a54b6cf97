"""The witness: co-signs the nodes' ledgers, each only as a continuation of what it signed before.

Its own implementation of the rules of proofs and notes, on purpose; see ADR 69.
"""
