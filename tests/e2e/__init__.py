"""The deployed thing: the real template, the packaged artifact, Lambda's runtime."""
