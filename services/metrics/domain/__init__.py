"""What metrics knows about transactions, money, statuses and days, without any machinery."""
