"""What the application knows: findings, certificates, references, decisions and outcomes.

Pure: nothing here calls AWS, reads the environment or looks at a clock.
"""
