"""Values replaced by tokens that come back as the right value, in this conversation and nowhere else."""
