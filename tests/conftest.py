"""What holds for all tests."""

from hypothesis import settings

settings.register_profile("atalanta", deadline=None)  # how long a test takes is the machine's affair
settings.load_profile("atalanta")
