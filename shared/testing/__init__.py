"""What tests of every service build upon; no product code imports it."""
