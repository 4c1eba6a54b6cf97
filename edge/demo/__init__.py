"""`postern demo`: a whole site and its control plane on this machine, and what can go wrong with them."""
