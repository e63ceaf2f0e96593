"""What all tests share."""

from hypothesis import settings

# The same examples on every run: a check that fails by chance on somebody else's change tells nothing about it.
settings.register_profile("planner", derandomize=True)
settings.load_profile("planner")
