"""What runs: one door a file, and the story they share."""
