"""Is the local AWS faithful where the application depends on it, and does it stay here?"""
