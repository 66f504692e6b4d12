"""The remediation of findings: what AWS is to it stands in `ports`."""
