"""The second paper's search: its reward, and its scaling by latency."""
