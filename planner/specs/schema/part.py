"""Parts that plans count: switches, optics, cables, NICs; prices of buildings and exchange rates."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.specs.quantity import (
    Area,
    BuildingPrice,
    Count,
    Duration,
    FailureRate,
    Fraction,
    Frozen,
    Length,
    Mass,
    Money,
    Power,
    ProvenanceError,
    Rate,
    Size,
    Temperature,
    Text,
)
from planner.specs.schema.common import SpecFile


class Floor(Frozen):
    """Where racks stand: rows of racks, cables in trays above them."""

    rack_pitch: Length = Field(description="from a rack to its neighbour in the row")
    row_pitch: Length = Field(description="from a row to the next, aisle included")
    racks_per_row: Count
    rack_depth: Length
    hall_gap: Length | None = Field(default=None, description="between the rows of one hall and the next")
    riser: Length = Field(description="cable from a port to the tray above its rack")
    slack: Fraction = Field(description="cable over the way")


class Economiser(Frozen):
    """How far outdoor air cools without chillers, by the wet bulb."""

    full: Temperature = Field(description="wet bulb up to which no chiller runs")
    part: Temperature = Field(description="wet bulb from which chillers take all that is left")
    chiller: Fraction = Field(description="kW of chiller plant per kW of IT heat of the kind")


class Inlet(Frozen):
    """What cools a server: air, water at its door, or the liquid of plates and tanks."""

    planned: Temperature = Field(description="of the supply that PUE in the site files is worked out for")
    limit: Temperature = Field(description="warmest supply at which cards keep their board power")
    approach: Count = Field(description="kelvins of the supply over the ambient without chillers")
    ambient: Literal["wet", "dry"] = Field(description="bulb that the coolers follow")


class Evaporation(Frozen):
    """When cooling towers run wet, by the wet bulb."""

    dry: Temperature = Field(description="up to which nothing evaporates")
    full: Temperature = Field(description="from which all heat that leaves by water is evaporated")


class PowerChain(Frozen):
    """From the grid intake to the servers' plugs."""

    transformer_efficiency: Fraction
    ups_efficiency: Fraction = Field(description="the supplies carry the IT load alone")
    distribution_efficiency: Fraction = Field(description="busway and distribution below the supplies")
    power_factor: Fraction
    loading: Fraction = Field(description="of a transformer that is planned for")
    transformer_rating: Power = Field(description="kVA of one transformer, in watts")
    ups_module: Power
    ups_ride_through: Duration
    generator: Power
    cdu: Power = Field(description="heat that one coolant distribution unit moves")
    cdu_racks: Count = Field(description="places for racks that one such unit takes")
    cdu_in_rack: Power | None = Field(default=None, description="heat that a unit inside a rack moves")
    liquid_rise: Count = Field(description="kelvins of the liquid across the servers")
    air_rise: Count = Field(description="kelvins of the air across the servers")


class PhaseShares(Frozen):
    """Draw of a card over its board power, by what it is doing."""

    compute: Fraction = Field(description="matrix products: dense training, prefill")
    memory: Fraction = Field(description="bound by memory: decode, element-wise work")
    communication: Fraction = Field(description="in a collective, or waiting in one")


class SideNetwork(Frozen):
    """A network beside the one of the cards: storage, front end, management."""

    ports_per_server: Count | None = Field(default=None, description="of a server whatever its cards")
    ports_per_card: Count | None = Field(
        default=None, description="of a server for each of its cards, rounded up to whole ports of the server"
    )
    beside: Count | None = Field(
        default=None, description="ports of machines at the other end (storage) over those of the servers"
    )
    ports_per_storage: Count | None = Field(
        default=None, description="of a storage server; where these are counted, they stand in for `beside`"
    )
    to_storage: bool = Field(
        default=False, description="every flow ends at a storage server, whose ports bound the uplinks"
    )
    ports_per_switch: Count | None = Field(default=None, description="of every switch of the cards' network")
    ports_per_rack: Count | None = Field(default=None, description="power strips and the like")
    radix: Count = Field(description="ports of a switch")
    oversubscription: Count
    switch: Text = Field(description="id in parts/")
    transceiver: Text | None = Field(
        default=None, description="id in parts/, at both ends of a link; absent: the cable needs none"
    )
    cable: Text = Field(description="id in parts/")


class StorageServer(Frozen):
    """A server of flash drives, and what is kept on all of them together."""

    write: Rate = Field(description="that clients write to one server, copies counted")
    read: Rate = Field(description="that clients read from one server")
    room: Size = Field(description="for clients, after copies and free space")
    client: Rate = Field(description="that one server of cards writes or reads at most")
    checkpoints: Count = Field(description="that are kept")
    bytes_per_token: Count = Field(description="of training data")
    write_time: Duration = Field(description="within which a checkpoint is to be written or read")
    write_per_card: Rate | None = Field(
        default=None, description="that a store shared by a training cluster takes in for each card"
    )
    read_per_card: Rate | None = Field(
        default=None, description="that a store shared by a training cluster gives out for each card"
    )
    fewest: Count = Field(description="copies stand on different servers")
    power: Power
    height: Count = Field(description="rack units")
    price: Money | None = None


WorkloadClass = Literal["llm-training", "llm-serving", "vision", "recommendation", "scientific"]
MaturityLevel = Literal["proven-at-scale", "proven", "partial", "unproven"]


class Maturity(Frozen):
    """How far the software of a vendor's cards carries one class of workload."""

    level: MaturityLevel
    evidence: Text = Field(description="what is known to run, on how many cards, and what is not")
    source: str | list[str] = Field(description="key or keys of [sources]")
    efficiency: Fraction = Field(description="speed that a first port reaches over that of a tuned one")
    porting_months: Count = Field(description="until a model of one's own runs at that speed")
    porting_staff: Count = Field(description="engineers meanwhile")
    stability: Count = Field(description="failures by software over those of a mature stack")


class CommonCauses(Frozen):
    """On whom a card's supply depends; slips of cards that name the same go together."""

    fab: Text | None = Field(default=None, description="who makes the wafers")
    packager: Text | None = Field(default=None, description="who packages")
    memory: Text | None = Field(default=None, description="where the memory stacks come from")


class Supply(Frozen):
    """What limits the deliveries of a card; per month, all buyers together unless said."""

    wafer_diameter: Length | None = None
    wafer_starts: Count | None = Field(default=None, description="wafers a month for these cards")
    share: Fraction | None = Field(default=None, description="of the output that this buyer gets")
    die_area: Area | None = Field(default=None, description="stands in where the card's file has none")
    dies: Count | None = Field(default=None, description="stands in where the card's file has none")
    defect_density: Count | None = Field(
        default=None, description="per cm2; used where the card's file has no yield_fraction"
    )
    packaging_yield: Fraction | None = None
    packaging_limit: Count | None = Field(default=None, description="packages a month")
    stacks: Count | None = Field(default=None, description="stands in where the card's file has none")
    stack_limit: Count | None = Field(default=None, description="memory stacks a month")
    stock: Count | None = Field(default=None, description="packages that this buyer can have at once")
    lead_time: Duration | None = Field(default=None, description="from order to the first new cards")
    ramp: Duration | None = Field(default=None, description="until deliveries reach their full rate")
    wafer_price: Money | None = None
    stack_price: Money | None = None
    packaging_price: Money | None = Field(default=None, description="packaging and test of one package")
    shared: Fraction | None = Field(
        default=None,
        description="of a figure's variance, what suppliers of one fab, packager or memory share",
    )
    common: CommonCauses = CommonCauses()


class Part(SpecFile):
    """One part. Fields that do not apply to the part's kind stay absent."""

    kind: Literal[
        "switch",
        "transceiver",
        "cable",
        "nic",
        "exchange-rates",
        "facility",
        "reliability",
        "supply",
        "software-stack",
    ]
    vendor: Text | None = None
    power: Power | None = Field(
        default=None, description="typical: switch without optics; one module; one NIC"
    )
    power_max: Power | None = None
    price: Money | None = Field(default=None, description="one piece; a cable with both ends")

    ports: int | None = Field(
        default=None, ge=1, description="switch: ports at port_rate; transceiver: ports it holds"
    )
    port_rate: Rate | None = Field(default=None, description="one way, per port")
    latency: Duration | None = Field(default=None, description="switch: port to port")
    reach: Length | None = Field(default=None, description="transceiver or cable")
    medium: Literal["dac", "aec", "aoc", "multimode", "singlemode"] | None = None
    height: Count | None = Field(default=None, description="rack units")

    usd_per_unit: dict[str, Count] = Field(
        default={}, description="exchange rates: US dollars per unit of currency"
    )

    building: BuildingPrice | None = Field(
        default=None, description="building with power and cooling, per IT watt"
    )
    liquid_premium: Fraction | None = Field(
        default=None, description="extra building cost share for liquid cooling"
    )
    conversion_loss: Fraction | None = Field(
        default=None, description="server power supply and VRM loss share"
    )
    rack_limits: dict[str, Power] = Field(default={}, description="practical power per rack by cooling kind")
    redundancy: dict[Literal["N", "2N"], Count] = Field(
        default={}, description="price of the building over that at N+1"
    )
    fan_saving: dict[str, Fraction] = Field(
        default={}, description="share of fan power saved by cooling kind"
    )
    liquid_share: dict[str, Fraction] = Field(
        default={}, description="share of IT heat that leaves in a liquid, by cooling kind"
    )
    economiser: dict[str, Economiser] = Field(
        default={}, description="facility: free cooling by cooling kind"
    )
    inlet: dict[str, Inlet] = Field(default={}, description="facility: supply temperature by cooling kind")
    junction: Temperature | None = Field(
        default=None, description="facility: of a chip at full board power and the warmest supply"
    )
    evaporation: Evaporation | None = Field(default=None, description="facility: cooling towers")
    chain: PowerChain | None = Field(default=None, description="facility: from the grid to the servers")
    rack_frame: Mass | None = Field(default=None, description="facility: an empty rack with its strips")
    installation: Fraction | None = Field(default=None, description="share of hardware capex, once")
    residual: Fraction | None = Field(
        default=None, description="share of hardware capex at the end of its life"
    )
    technician: Money | None = Field(default=None, description="pay of one person for a year, all in")
    servers_per_technician: Count | None = None
    crew: Count | None = Field(
        default=None, description="people whom a site needs around the clock, however few servers it holds"
    )
    crew_site: Power | None = Field(
        default=None, description="power from which a cluster has such a site to itself; a smaller one shares"
    )
    engineer: Money | None = Field(
        default=None, description="pay of one software engineer for a year, all in: what a port costs"
    )
    cap_exponent: Count | None = Field(
        default=None, description="n in P = idle + (TDP - idle) x^n, x relative clock, for a power cap"
    )
    floor: Floor | None = Field(default=None, description="facility: rows of racks")
    phase_draw: PhaseShares | None = Field(default=None, description="facility: draw of cards by phase")
    networks: dict[str, SideNetwork] = Field(default={}, description="facility: networks beside the cards'")
    storage: StorageServer | None = Field(default=None, description="facility: what checkpoints go to")
    maintenance: Fraction | None = Field(default=None, description="share of hardware capex per year")
    depreciation: Duration | None = Field(default=None, description="life of the hardware")
    depreciation_building: Duration | None = None

    checkpoint_bandwidth: Rate | None = Field(default=None, description="job-wide checkpoint write rate")
    checkpoint_stall: Duration | None = Field(default=None, description="stall per asynchronous checkpoint")
    checkpoint_read: Rate | None = Field(default=None, description="job-wide rate of loading a checkpoint")
    memory_stall: Duration | None = Field(default=None, description="stall per copy in the memory of peers")
    memory_covers: Fraction | None = Field(
        default=None, description="share of failures after which a copy in memory survives"
    )
    recovery: Duration | None = Field(
        default=None, description="detection, swap, restart and load in one; detection and restart replace it"
    )
    detection: Duration | None = Field(default=None, description="from failure to the stop of the job")
    restart: Duration | None = Field(default=None, description="swap, scheduling, start, without loading")
    detection_tuned: Duration | None = Field(
        default=None, description="the same of an operator that watches every rank by machine"
    )
    restart_tuned: Duration | None = Field(default=None, description="the same of automated restarts")
    repair: Duration | None = Field(default=None, description="from failure until a server is back")
    domain_repair: Duration | None = Field(
        default=None, description="until the switches of a scale-up domain are back"
    )
    failure_shares: dict[Literal["card", "host", "nic", "software"], Fraction] = Field(
        default={}, description="parts of a server's failure rate; what is left to 1 is the network's"
    )
    link_failures: FailureRate | None = Field(
        default=None, description="that stop a job, per optical LINK-day (both transceivers)"
    )
    switch_failures: FailureRate | None = Field(default=None, description="that stop a job, per SWITCH-day")
    straggler_rate: FailureRate | None = Field(
        default=None, description="servers that turn slow unnoticed, per server-day"
    )
    straggler_detection: Duration | None = Field(default=None, description="until one is found")
    straggler_slowdown: Count | None = Field(
        default=None, description="time of a step with one over that without"
    )

    accelerators: list[str] = Field(default=[], description="supply: ids of the cards it holds for")
    supply: Supply | None = None
    vendors: list[Text] = Field(default=[], description="software stack: vendors of the cards it runs on")
    maturity: dict[WorkloadClass, Maturity] = Field(default={}, description="by class of workload")

    @model_validator(mode="after")
    def _maturity_sourced(self) -> Self:
        for name, item in self.maturity.items():
            keys = [item.source] if isinstance(item.source, str) else item.source
            for key in keys:
                if key not in self.sources:
                    raise ProvenanceError(f"maturity.{name}: source {key!r} is not in the [sources] table")
        return self
