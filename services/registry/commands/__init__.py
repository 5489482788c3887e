"""What registry can be told to do, by noun."""
