"""Data frames out of evidence: what chapters show. No HTML, no plots, no claims."""
