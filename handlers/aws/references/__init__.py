"""Every service that can hold an IAM server certificate, and the scan that reads them all."""
