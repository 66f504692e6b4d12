"""AWS on this machine: moto, patched where it differs from AWS in what this project depends on."""
