"""AWS on this machine: moto as a server, patched where it differs from AWS."""
