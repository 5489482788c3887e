"""The demonstration: a stranger's program that walks the guide over HTTP, on real purchases and a real stack."""
