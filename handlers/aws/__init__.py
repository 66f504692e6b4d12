"""The only code that knows AWS's responses and errors."""
