"""The web pages of Latchkey: a client of the four HTTP APIs, without a database."""
