"""Layouts and the spaces they are chosen from."""

from __future__ import annotations

from typing import Literal

from planner.problem.wire.base import Unsigned, Wire

TensorOverlap = Literal["profile", "none", "ring", "pipe"]
SequenceGather = Literal["profile", "kept", "redone"]
Network = Literal["ranks", "scale-up", "scale-out"]
Recompute = Literal["none", "attention", "selective", "full"]


class Switches(Wire):
    """Choices of a layout that cut nothing: overlap, what is kept or offloaded, networks by hand."""

    tp_overlap: TensorOverlap = "profile"
    sequence_gather: SequenceGather = "profile"
    p2p_scatter: bool = True
    dp_overlap: bool = True
    fused_activation: bool = True
    offload_weights: bool = False
    offload_activations: bool = False
    offload_optimizer: bool = False
    tp_network: Network = "ranks"
    pp_network: Network = "ranks"
    dp_network: Network = "ranks"


class SwitchSpace(Wire):
    """Values of each switch to choose from."""

    tp_overlap: tuple[TensorOverlap, ...] = ("profile",)
    sequence_gather: tuple[SequenceGather, ...] = ("profile",)
    p2p_scatter: tuple[bool, ...] = (True,)
    dp_overlap: tuple[bool, ...] = (True,)
    fused_activation: tuple[bool, ...] = (True,)
    offload_weights: tuple[bool, ...] = (False,)
    offload_activations: tuple[bool, ...] = (False,)
    offload_optimizer: tuple[bool, ...] = (False,)
    tp_network: tuple[Network, ...] = ("ranks",)
    pp_network: tuple[Network, ...] = ("ranks",)
    dp_network: tuple[Network, ...] = ("ranks",)


class Space(Wire):
    """The declared space of layouts: every combination of these, and every dp unless it is listed."""

    tp: tuple[Unsigned, ...]
    pp: tuple[Unsigned, ...]
    vpp: tuple[Unsigned, ...]
    cp: tuple[Unsigned, ...]
    ep: tuple[Unsigned, ...]
    etp: tuple[Literal["one", "tensor"], ...]
    dp: tuple[Unsigned, ...] | None
    micro_batch: tuple[Unsigned, ...]
    recompute: tuple[Recompute, ...]
    sharding: tuple[Unsigned, ...]
    sequence_parallel: tuple[bool, ...]
    # What most spaces leave alone: empty lists mean all layers, 1F1B, ring.
    recompute_layers: tuple[Unsigned, ...] = ()
    schedule: tuple[Literal["1f1b", "zero-bubble", "dualpipe"], ...] = ()
    cp_kind: tuple[Literal["ring", "all-to-all"], ...] = ()
    stage_layers: tuple[tuple[Unsigned, ...], ...] = ()
    switches: SwitchSpace = SwitchSpace()
    factorized: bool = False


class LayoutOfDesign(Wire):
    """One complete layout (``Layout`` in the core)."""

    pp: Unsigned
    vpp: Unsigned
    tp: Unsigned
    cp: Unsigned
    ep: Unsigned
    etp: Unsigned
    dp: Unsigned
    micro_batch: Unsigned
    recompute: Recompute
    sharding: Unsigned
    sequence_parallel: bool
    recompute_layers: Unsigned = 0
    schedule: Literal["1f1b", "zero-bubble", "dualpipe"] = "1f1b"
    cp_kind: Literal["ring", "all-to-all"] = "ring"
    stage_layers: tuple[Unsigned, ...] = ()
    switches: Switches = Switches()
