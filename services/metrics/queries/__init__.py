"""Everything that the owner of an app can read, from read models only."""
