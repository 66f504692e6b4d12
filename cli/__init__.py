"""`iam26`: what a person runs in a terminal, before and beside what is deployed."""
