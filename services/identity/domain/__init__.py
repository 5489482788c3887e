"""What identity knows, decides and refuses, without any input or output."""
