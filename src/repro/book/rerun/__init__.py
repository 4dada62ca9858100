"""After a chapter ran with other parameters: what differs, and a page and a notebook to read."""
