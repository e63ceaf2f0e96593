"""Software profiles: the training framework as an input with its own spread."""

from planner.software.profile import (
    SoftwareProfile,
    default_profile,
    path_of,
    profile,
    profile_of_run,
    profiles,
)

__all__ = ["SoftwareProfile", "default_profile", "path_of", "profile", "profile_of_run", "profiles"]
