"""What identity can be told to do, split by noun, and the keys, hashes and limits that this takes."""
