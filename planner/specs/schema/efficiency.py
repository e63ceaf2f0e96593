"""Shares of the peaks that software reaches on a family of chips: the calibration of the kernel law."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.specs.quantity import Count, Fraction, Frozen
from planner.specs.schema.common import SpecFile


class Matmul(Frozen):
    """Share of the dense peak that large matrix products reach, per precision."""

    bf16: Fraction
    fp8: Fraction | None = None
    fp4: Fraction | None = None
    half_depth: Count = Field(description="K (inner size) at which half of that share is reached")


class Attention(Frozen):
    """Fused (flash) attention."""

    forward: Fraction = Field(description="share of the dense BF16 peak for long causal sequences, forward")
    backward_ratio: Fraction = Field(description="backward share over forward share")
    half_length: Count = Field(description="sequence length at which half of that share is reached")


class Efficiency(SpecFile):
    """Parameters of the kernel and collective laws for one chip family (formulas: docs/physics.md)."""

    calibrated: Literal["runs", "operators", "none"] = Field(
        description="runs: fitted on training runs; operators: from measurements; none: prior"
    )
    runs: int = Field(default=0, ge=0, description="training runs behind the fit")
    groups: int = Field(default=0, ge=0, description="independent groups of runs behind the fit")
    own_runs: int = Field(
        default=0,
        ge=0,
        description="runs of the user behind the fit, beside published ones (calibrate --cases)",
    )
    residual: Fraction = Field(
        description="standard deviation of ln(predicted/measured), groups left out: the model's own error"
    )
    matmul: Matmul
    attention: Attention
    memory: Fraction = Field(description="share of the nominal memory bandwidth")
    scale_up: Fraction = Field(description="share of one-way scale-up bandwidth in large collectives")
    scale_out: Fraction = Field(description="share of NIC line rate in large collectives")
    serving_time: Count | None = Field(
        default=None, description="serving: time of what runs on the device over the model's, from own runs"
    )
