"""Model scaling and accelerator-friendly networks: describe, scale, count, build, time, train."""
