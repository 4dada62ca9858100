"""Published errors, and those of our own runs."""
