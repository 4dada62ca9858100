"""Training a described network: the recipe, data, several processes, checkpoints, sweeps."""
