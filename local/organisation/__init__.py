"""200 accounts with 1,000 findings, and the AWS calls that they should cost."""
