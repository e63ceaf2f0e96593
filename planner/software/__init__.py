"""Software profiles: the framework of training or serving as an input with its own spread."""

from planner.software.profile import (
    SoftwareProfile,
    default_profile,
    path_of,
    profile,
    profile_of_run,
    profiles,
)
from planner.software.serving import (
    ServingConstants,
    ServingProfile,
    default_serving_profile,
    serving_constants,
    serving_profile,
    serving_profile_of_run,
    serving_profiles,
)

__all__ = [
    "ServingConstants",
    "ServingProfile",
    "SoftwareProfile",
    "default_profile",
    "default_serving_profile",
    "path_of",
    "profile",
    "profile_of_run",
    "profiles",
    "serving_constants",
    "serving_profile",
    "serving_profile_of_run",
    "serving_profiles",
]
