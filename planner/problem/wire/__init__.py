"""The request to the core, ``problem/1``: pydantic mirrors of the serde structs in ``rust/core/src``.

All numbers are in SI units (bytes, seconds, watts; US dollars); rates are one way and per device unless a
name says otherwise. What each field means stands with the Rust struct of the same name.
"""

from __future__ import annotations

from planner.problem.wire.base import (
    PerPrecision,
    Unsigned,
    Wire,
    canonical,
)
from planner.problem.wire.detail import (
    DetailRequest,
    Geometry,
    HallPacking,
    Medium,
    ScaleUpSpec,
)
from planner.problem.wire.hardware import (
    Cluster,
    CoolingOption,
    Device,
    Efficiency,
    FabricOption,
    HallAir,
    PhaseShares,
    ScaleUpLevel,
    Share,
)
from planner.problem.wire.layouts import (
    LayoutOfDesign,
    Network,
    Recompute,
    SequenceGather,
    Space,
    Switches,
    SwitchSpace,
    TensorOverlap,
)
from planner.problem.wire.plant import (
    ChainSpec,
    Economics,
    FailureModel,
    HallSpec,
    Limits,
    PeerMemory,
    RackCeiling,
    Reliability,
    Shares,
    SideNetwork,
    Site,
    StorageSpec,
)
from planner.problem.wire.requests import (
    DesignChoice,
    EvaluateRequest,
    Request,
    Search,
    Weight,
)
from planner.problem.wire.workload import (
    Gqa,
    Mla,
    Model,
    Moe,
    Software,
    Target,
    Training,
    Window,
)

__all__ = [
    "ChainSpec",
    "Cluster",
    "CoolingOption",
    "DesignChoice",
    "DetailRequest",
    "Device",
    "Economics",
    "Efficiency",
    "EvaluateRequest",
    "FabricOption",
    "FailureModel",
    "Geometry",
    "Gqa",
    "HallAir",
    "HallPacking",
    "HallSpec",
    "LayoutOfDesign",
    "Limits",
    "Medium",
    "Mla",
    "Model",
    "Moe",
    "Network",
    "PeerMemory",
    "PerPrecision",
    "PhaseShares",
    "RackCeiling",
    "Recompute",
    "Reliability",
    "Request",
    "ScaleUpLevel",
    "ScaleUpSpec",
    "Search",
    "SequenceGather",
    "Share",
    "Shares",
    "SideNetwork",
    "Site",
    "Software",
    "Space",
    "StorageSpec",
    "SwitchSpace",
    "Switches",
    "Target",
    "TensorOverlap",
    "Training",
    "Unsigned",
    "Weight",
    "Window",
    "Wire",
    "canonical",
]
