"""The built artifact, run by SAM CLI, in Docker, or in the deployed chain."""
