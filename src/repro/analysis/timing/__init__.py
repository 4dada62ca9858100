"""What predicts runtime, and how to time."""
