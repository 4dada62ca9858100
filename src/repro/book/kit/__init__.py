"""How anything reaches a page: figures, tables, folds, key numbers."""
