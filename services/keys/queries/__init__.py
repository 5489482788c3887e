"""What keys can be asked: pairs and their use, foreign things by name, and the database's time."""
