"""How cost grows: the same question asked of ever more data."""
