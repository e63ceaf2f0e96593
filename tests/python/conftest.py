"""What all tests share."""

from hypothesis import settings

# The same examples on every run: a check that fails by chance tells nothing about the change it fails on.
settings.register_profile("planner", derandomize=True)
settings.load_profile("planner")
