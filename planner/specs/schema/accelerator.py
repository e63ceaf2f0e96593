"""Accelerator cards: one file per card as bought."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.specs.quantity import (
    Area,
    ComputeRate,
    Count,
    Fraction,
    Frequency,
    Frozen,
    Mass,
    Money,
    Power,
    Rate,
    Size,
    Text,
)
from planner.specs.schema.common import SpecFile

Precision = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"]


class Peaks(Frozen):
    """Dense peak rates of the whole card (all dies), per precision. Absent = not known or not supported."""

    fp64: ComputeRate | None = None
    fp32: ComputeRate | None = None
    tf32: ComputeRate | None = None
    bf16: ComputeRate | None = None
    fp16: ComputeRate | None = None
    fp8: ComputeRate | None = None
    int8: ComputeRate | None = None
    fp4: ComputeRate | None = None


class MatrixEngine(Frozen):
    """Make-up of the matrix engine, where published; ``specs check`` multiplies it out."""

    cores: Count | None = None
    clock: Frequency | None = None
    flops_per_cycle_per_core: Count | None = Field(default=None, description="at 16-bit precision")


class Memory(Frozen):
    """Device memory of the whole card."""

    capacity: Size | None = Field(default=None, description="nominal; write GiB where binary is meant")
    bandwidth: Rate | None = Field(default=None, description="peak")
    type: Text | None = Field(default=None, description="HBM2e, GDDR6, LPDDR5, SRAM ...")
    usable_fraction: Fraction | None = Field(
        default=None, description="what a job can allocate of the capacity"
    )
    stacks: Count | None = None
    stack_capacity: Size | None = None
    l2: Size | None = None


class Links(Frozen):
    """Scale-up links of the card; the system says how they are wired."""

    scale_up_bandwidth: Rate | None = Field(default=None, description="ONE-WAY total of the card")
    scale_up_bandwidth_two_way_advertised: Rate | None = Field(
        default=None, description="the two-way total as advertised, where that is what was printed"
    )
    name: Text | None = Field(default=None, description="NVLink 4, HCCS, UB, XPU-Link ...")
    host: Text | None = Field(default=None, description="PCIe 5.0 x16 ...")
    host_bandwidth: Rate | None = Field(default=None, description="one way")


class CardPower(Frozen):
    """Board power of the card."""

    tdp: Power | None = Field(default=None, description="nameplate of the board")
    idle: Power | None = None
    training_share: Fraction | None = Field(
        default=None, description="mean draw over TDP while training at full clock"
    )


class Silicon(Frozen):
    """What the card is made of; feeds supply and export figures, never timing."""

    process: Text | None = None
    foundry: Text | None = None
    dies: Count | None = Field(default=None, description="compute dies per package")
    die_area: Area | None = Field(default=None, description="one compute die")
    package_area: Area | None = None
    yield_fraction: Fraction | None = None


class Accelerator(SpecFile):
    """A card: one accelerator package or board as bought."""

    vendor: Text
    kind: Literal["gpu", "npu"] = "npu"
    origin: Text = Field(description="country of the vendor, ISO 3166 alpha-2: CN, US")
    status: Literal["shipping", "legacy", "announced", "rumoured", "never-shipped"]
    released: Text | None = Field(default=None, description="ISO date or year of first delivery")
    form_factor: Text | None = None
    devices_per_card: int = Field(
        default=1, ge=1, description="devices the runtime exposes per card (2 for an Ascend 910C)"
    )
    efficiency: str = Field(description="id of a file in efficiency/: shares of peak that software reaches")
    peak: Peaks = Field(default=Peaks(), description="dense; matrix engine only")
    peak_advertised: Peaks = Field(
        default=Peaks(), description="as advertised, where that differs (matrix + vector); dense"
    )
    peak_sparse: Peaks = Field(default=Peaks(), description="2:4 sparse as advertised; never used for timing")
    measured: Peaks = Field(
        default=Peaks(),
        description="best rate that large matrix products were measured at; without any training run it "
        "lowers what is expected of the chip (docs/accuracy.md)",
    )
    vector: Peaks = Field(default=Peaks(), description="vector engine (element-wise work)")
    matrix_engine: MatrixEngine = MatrixEngine()
    memory: Memory = Memory()
    links: Links = Links()
    power: CardPower = CardPower()
    silicon: Silicon = Silicon()
    mass: Mass | None = None
    price: Money | None = Field(default=None, description="one card; null where nobody published one")
    claims: list[Text] = Field(
        default=[], description="vendor claims (MFU, linearity), kept apart, never used"
    )
