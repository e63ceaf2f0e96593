"""[layout]: dimensions of the parallel layout that are fixed or chosen from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from planner.scenario.split import Split, splits_of
from planner.scenario.values import WholeOrZero, as_list
from planner.scenario.vocabulary import Degrees, Ranks, Recompute, Schedule, Tiers, Truths, schedules
from planner.specs.quantity import Frozen


class LayoutChoice(Frozen):
    """Dimensions of the layout to fix (one value) or to choose from (a list); absent: the default space."""

    tp: Degrees | None = None
    pp: Degrees | None = None
    vpp: Degrees | None = None
    dp: Ranks | None = None
    cp: Degrees | None = None
    ep: Degrees | None = None
    etp: Annotated[tuple[Literal["one", "tensor"], ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="one: an expert is whole on a device; tensor: cut over tp"
    )
    micro_batch: Degrees | None = None
    recompute: Annotated[tuple[Recompute, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1
    )
    sharding: Annotated[tuple[Annotated[WholeOrZero, Field(le=3)], ...], BeforeValidator(as_list)] | None = (
        Field(default=None, min_length=1, description="0 none, 1 optimizer states, 2 gradients, 3 weights")
    )
    sequence_parallel: Truths | None = None
    tp_overlap: (
        Annotated[tuple[Literal["profile", "none", "ring", "pipe"], ...], BeforeValidator(as_list)] | None
    ) = Field(default=None, min_length=1, description="how tensor-parallel traffic hides behind products")
    sequence_gather: (
        Annotated[tuple[Literal["profile", "kept", "redone"], ...], BeforeValidator(as_list)] | None
    ) = Field(
        default=None,
        min_length=1,
        description="inputs gathered by sequence parallelism: kept, or gathered again in the backward pass",
    )
    recompute_layers: Annotated[tuple[WholeOrZero, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="layers of a chunk that recompute; 0, the default: all"
    )
    schedule: Annotated[tuple[Schedule, ...], BeforeValidator(schedules)] | None = Field(
        default=None, min_length=1, description="default: that of the software profile, mostly 1f1b"
    )
    cp_kind: Annotated[tuple[Literal["ring", "all-to-all"], ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="how context ranks exchange; default: ring"
    )
    stage_layers: Annotated[tuple[Split, ...], BeforeValidator(splits_of)] | None = Field(
        default=None,
        description="layers of each stage by hand, [7, 9, 9, 12] or 7:9x2:12, or a list of such "
        "splits to choose from; fixes pp; absent: dealt evenly",
    )
    p2p_scatter: Truths | None = Field(
        default=None, description="each tensor rank sends its part to the next stage, not the whole"
    )
    dp_overlap: Truths | None = Field(
        default=None, description="gradient traffic hides behind the backward pass"
    )
    fused_activation: Truths | None = Field(default=None, description="bias and activation in one kernel")
    offload_weights: Truths | None = Field(default=None, description="weights of the layers in host memory")
    offload_activations: Truths | None = Field(default=None, description="activations in host memory")
    offload_optimizer: Truths | None = Field(default=None, description="optimizer states in host memory")
    tp_network: Tiers | None = Field(default=None, description="where tensor ranks stand; ranks: by order")
    pp_network: Tiers | None = Field(default=None, description="where pipeline stages stand")
    dp_network: Tiers | None = Field(default=None, description="where data ranks stand")
    factorized: bool = Field(
        default=False,
        description="only layouts that use every device of the most cards, with equal stages and chunks and "
        "a micro-batch that divides the data rank's part of the batch",
    )

    @property
    def offloads(self) -> bool:
        """Whether anything may live in host memory."""
        lists = (self.offload_weights, self.offload_activations, self.offload_optimizer)
        return any(values is not None and True in values for values in lists)
