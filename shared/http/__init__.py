"""The HTTP kit: what every service's API has in common, none of a service's words."""
