"""One file a notebook: its parameters, its figures and its tables; none imports another."""
