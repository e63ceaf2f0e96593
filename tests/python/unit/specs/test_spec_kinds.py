"""The kinds of files that the command line lists are those of the library."""

from planner.cli.specs import KINDS as LISTED
from planner.specs import KINDS


def test_every_kind_of_file_can_be_listed() -> None:
    assert set(LISTED) == set(KINDS)
