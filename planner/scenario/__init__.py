"""What is asked: scenarios in TOML, with ``--set`` overrides."""

from planner.scenario.load import from_table, load
from planner.scenario.overrides import known_keys
from planner.scenario.schema import Origin, Scenario
from planner.scenario.service import ServiceScenario

__all__ = ["Origin", "Scenario", "ServiceScenario", "from_table", "known_keys", "load"]
