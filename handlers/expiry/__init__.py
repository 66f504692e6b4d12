"""Alarms before certificates expire: what should be there, what is there, the difference."""
