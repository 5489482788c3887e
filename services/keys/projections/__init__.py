"""Events turned into what is read: rows of our own rings, rows of others' things, and the verifier's table in memory."""
