"""What Lambda runs: one entry point per file, and the remediation they share."""
