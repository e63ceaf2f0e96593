"""What a plan says of its plant: networks, racks, power, cooling and money; units in the names."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.plan.parts import Part, leaves_sum


class Tier(Part):
    """One tier of switches."""

    name: str
    switches: int
    down_ports: int = Field(description="per switch")
    up_ports: int = Field(description="per switch")


class Link(Part):
    """Cables between two tiers."""

    name: str
    count: int


class Transceivers(Part):
    """Optical modules."""

    switch_side: int
    host_side: int


class FabricPart(Part):
    """One line of the bill of materials of the scale-out network."""

    name: str
    count: int
    watts: float | None = Field(default=None, description="of all; null: in the draw of the servers")
    usd: float | None = Field(
        default=None, description="of all; null: not known, or in the price of the servers"
    )


class CableLine(Part):
    """Cables of one length between two tiers."""

    link: str
    metres: int = Field(description="the next length that is sold")
    count: int
    medium: str | None = Field(description="the cheapest that reaches; null: nothing offered does")
    cable: str | None = Field(description="part id")


class MediumTotal(Part):
    """All cables of one medium, where every link takes the cheapest that reaches."""

    medium: str | None = Field(description="dac, aec, aoc, multimode, singlemode; null: nothing reaches")
    cable: str | None = Field(description="part id")
    links: int
    longest_metres: int
    watts: float = Field(description="cables with all that is at their ends")
    usd: float | None = Field(description="the same; null: a price is missing")


class ReachSaving(Part):
    """What DAC, AEC and AOC at the links that they reach save against modules at every link.

    The totals of a plan count modules everywhere, as published bills do."""

    links: int
    copper_links: int = Field(description="of them, those that DAC or AEC reaches")
    module_ends: int = Field(description="module ports left out")
    watts: float
    usd: float | None


class ScaleUp(Part):
    """The scale-up fabric of every domain."""

    domains: int
    server_chips: int = Field(description="first-tier chips of one domain")
    upper_chips: int = Field(description="second-tier chips (or all, where cards reach them) of one domain")
    links: int = Field(description="of one domain")
    modules: int = Field(description="optical modules of one domain")
    racks: int = Field(description="of one domain that hold only interconnect")
    ports_free: int
    bisection_bytes_per_second: float
    cables: list[CableLine]


class ScaleUpEstimate(Part):
    """Optical modules of one domain whose wiring is not published: an estimate with its range."""

    domains: int
    racks: int = Field(description="of one domain that hold only interconnect")
    modules: float
    modules_low: float
    modules_high: float
    method: str


class SideNetwork(Part):
    """A network beside the one of the cards: storage, front end, management."""

    name: str
    ports: int
    networks: int = Field(
        default=1,
        description="separate ones, which the site's routers join: one, unless four tiers do not reach",
    )
    switches: int
    links: int
    watts: float = Field(description="switches and modules")
    usd: float | None = Field(description="switches, modules and cables")
    switch_watts: float | None = Field(default=None, description="of watts: switches without modules")
    switch_usd: float | None = Field(default=None, description="of usd: switches")


class Fabric(Part):
    """The scale-out network, counted to the last part."""

    id: str
    kind: str
    oversubscription: float
    tiers: list[Tier]
    links: list[Link]
    switches: int
    cables: int
    transceivers: Transceivers
    nics: int
    ports_free: int
    watts: float = Field(description="typical draw of switches and optics")
    parts: list[FabricPart]
    cable_lines: list[CableLine] = Field(
        default=[], description="cables by length as sold, with the cheapest medium that reaches"
    )
    media: list[MediumTotal] = Field(default=[], description="the same by medium")
    by_reach: ReachSaving | None = Field(
        default=None, description="saving of cables with ends of their own; null: none is short enough"
    )
    bisection_bytes_per_second: float | None = Field(
        default=None, description="one way, across an even split"
    )
    scale_up: ScaleUp | None = Field(default=None, description="null: its make-up is not published")
    scale_up_estimate: ScaleUpEstimate | None = Field(
        default=None, description="in place of scale_up where the wiring is not published but estimated"
    )
    side_networks: list[SideNetwork] = Field(default=[], description="storage, front end, management")


class NetworkLevel(Part):
    """One level of the network as a collective sees it."""

    name: str
    devices: int | None = Field(description="joined by one instance; null: all")
    bytes_per_second: float = Field(description="one way, per device, in large collectives")
    latency_seconds: float = Field(description="per step of a collective")


class Racks(Part):
    """Racks by what they hold."""

    compute: int
    network: int = Field(description="switches of the cards' network and of those beside it")
    interconnect: int
    cooling: int = Field(default=0, description="coolant distribution units")
    storage: int = Field(default=0, description="storage servers")
    total: int

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.compute + self.network + self.interconnect + self.cooling + self.storage != self.total:
            raise ValueError("racks do not add up to their total")
        return self


class CapPoint(Part):
    """The same cards in the same layout under another power cap."""

    power_cap: float = Field(description="share of board power")
    clock: float = Field(description="over the full clock")
    card_watts: float = Field(description="mean draw of a card while training")
    tokens_per_second: float = Field(description="with failures")
    facility_design_megawatts: float
    tokens_per_joule: float = Field(description="at the grid, annual mean")


class Block(Part):
    """Machines of one kind in a rack."""

    name: str
    count: int
    units: float = Field(description="rack units of each")


class Elevation(Part):
    """A full rack of one type, from the bottom."""

    kind: str
    racks: int
    kilowatts: float = Field(description="draw when full")
    kilograms: float | None = Field(description="of the machines; null: not published")
    blocks: list[Block]


class HotDay(Part):
    """The hot design day: what reaches the servers, and what is left of their clocks."""

    ambient_celsius: float = Field(description="design wet or dry bulb of the site")
    ambient: Literal["wet", "dry"] = Field(description="bulb that the coolers follow")
    supply_celsius: float = Field(description="air, water at the doors, or liquid at the servers")
    limit_celsius: float = Field(description="warmest supply at which cards keep their board power")
    power_cap: float = Field(description="share of board power that the heat allows; 1: all")
    held: bool = Field(
        default=False, description="the plan's own cap is no higher, so it keeps its throughput"
    )
    clock: float = Field(description="over the full clock, with the plan's own cap")
    tokens_per_second: float = Field(description="on such a day, with failures")
    hours_per_year: float = Field(
        description="in which the heat allows less than all; the plan's days do not count them"
    )


class PowerChain(Part):
    """What carries the power in and the heat out, with the redundancy asked for."""

    redundancy: str
    feeds: int
    transformers: int
    transformer_kva: float
    ups_modules: int
    ups_module_kilowatts: float
    ups_minutes: float
    generators: int
    generator_megawatts: float
    cdus: int
    liquid_litres_per_second: float
    liquid_rise_kelvin: float
    air_m3_per_second: float
    air_rise_kelvin: float
    chiller_megawatts: float = Field(
        description="heat that chillers take on the design day: what the economisers and dry coolers of the "
        "tanks run warm enough for dry coolers"
    )
    ramp_megawatts: float = Field(
        description="swing of IT power when all cards stop at a synchronous step: mean draw less idle"
    )


class PhaseDraw(Part):
    """What a card, and IT as a whole, draws while every card does the same."""

    phase: Literal["compute", "memory", "communication", "idle"] = Field(
        description="compute: products of training, prefill; memory: element-wise work, decode; "
        "communication: in a collective, or waiting in one"
    )
    card_watts: float
    card_watts_low: float
    card_watts_high: float
    it_megawatts: float = Field(description="cards in the phase, everything else at its mean draw")
    share_of_step: float | None = Field(description="null for services")


class Facility(Part):
    """Building, power and cooling."""

    site: str | None = None
    it_megawatts: float = Field(description="typical draw under training")
    peak_it_megawatts: float | None = Field(
        default=None,
        description="with all cards at their board power, or what a cap holds them to: the heat that coolant "
        "units, flows and chillers are built for",
    )
    facility_megawatts: float = Field(description="at the grid intake, annual mean")
    facility_design_megawatts: float = Field(description="at the grid intake on the hot design day")
    nameplate_megawatts: float | None = Field(description="what breakers see")
    nameplate_intake_megawatts: float | None = Field(
        default=None,
        description="nameplate times the PUE of the design day: what the intake is contracted for",
    )
    transformer_megawatts: float | None = Field(
        default=None, description="at the output of the transformers, design day"
    )
    ups_megawatts: float | None = Field(
        default=None, description="at the output of the supplies, which carry IT alone"
    )
    liquid_heat_megawatts: float | None = Field(default=None, description="IT heat that leaves in a liquid")
    air_heat_megawatts: float | None = Field(default=None, description="IT heat that warms the air")
    power: dict[str, float] = Field(
        default={}, description="watts at the grid over the year by part; they sum to facility_megawatts"
    )
    chain: PowerChain | None = Field(default=None, description="transformers, supplies, generators, CDUs")
    servers_per_rack: int | None = None
    rack_bound: Literal["cooling", "busway", "feed", "height", "weight", "ports", "vendor"] | None = Field(
        default=None, description="what holds the number of servers of a rack down"
    )
    white_space_m2: float | None = Field(
        default=None, description="racks with their aisles, plant rooms not counted"
    )
    switches_per_rack: int | None = None
    phases: list[PhaseDraw] = Field(
        default=[],
        description="draw by what the cards are doing; the mean draw of a plan rests on card_watts",
    )
    caps: list[CapPoint] = Field(default=[], description="the design under other power caps")
    elevations: list[Elevation] = Field(default=[], description="one full rack of each type")
    storage_servers: int = Field(
        default=0, description="for checkpoints and training data; of a service: for weights and logs"
    )
    racks: Racks
    halls: list[HallUse] = Field(default=[], description="where there are several, in the order they fill")
    servers: int
    rack_kilowatts: float = Field(description="draw of a full compute rack, with its switch trays")
    cooling: str
    pue: float = Field(description="annual mean")
    pue_design_day: float
    pue_by_month: list[float] = Field(
        default=[], description="January first, by the site's wet bulb; their mean is pue"
    )
    wue_by_month: list[float] = Field(
        default=[], description="litres per kWh of IT, January first; their mean is that of the year"
    )
    hot_day: HotDay | None = Field(default=None, description="null: the site's design day is not known")
    energy_mwh_per_year: float
    water_m3_per_year: float | None
    carbon_tonnes_per_year: float
    card_watts: float = Field(description="mean draw of a card while training")

    @model_validator(mode="after")
    def _power_adds_up(self) -> Self:
        leaves_sum(self.power, self.facility_megawatts * 1e6, "facility.power")
        return self


class HallUse(Part):
    """What one of several halls holds."""

    name: str
    servers: int
    servers_per_rack: int | None = Field(description="null: it takes no server of this kind")
    rack_bound: str | None = None
    racks: Racks
    racks_room: int = Field(description="places for racks of all kinds")
    it_megawatts: float
    liquid_megawatts: float = Field(description="heat while all cards draw their board power")
    air_megawatts: float = Field(description="heat while all cards draw their board power")
    transformer_megawatts: float
    pue: float = Field(description="annual mean at its supply temperature")
    full: Literal["racks", "liquid_power", "air_power", "transformers", "floor_area"] | None = Field(
        default=None, description="which of its limits a server, or scale-up domain, more would exceed"
    )
    holds_none: str | None = Field(default=None, description="why it takes no server of this kind")
    over: str | None = Field(default=None, description="where no hall takes all servers: what is exceeded")


class DatedPrice(Part):
    """A price behind the sums."""

    label: str
    value: float
    currency: str
    date: str | None
    kind: str


class Cost(Part):
    """Money, in US dollars; a total with a missing part is null."""

    capex_usd: float | None
    energy_usd_per_year: float
    tco_usd_per_year: float | None
    capital_rate: float | None = Field(default=None, description="cost of capital a year that it counts")
    parts: dict[str, float | None] = Field(description="capex by part in USD; they sum to capex_usd")
    year: dict[str, float | None] = Field(
        default={}, description="a year by part in USD; they sum to tco_usd_per_year"
    )
    usd_per_card_hour: float | None = Field(default=None, description="cost of a year over cards x 8,760 h")
    usd_per_million_tokens: float | None = Field(default=None, description="at the rate with failures")
    usd_per_effective_pflops_year: float | None = Field(
        default=None,
        description="cost of a year over model PFLOP/s that training really does, failures included",
    )
    prices: list[DatedPrice] = Field(default=[], description="each price used, with its currency and date")
    missing: list[str] = Field(description="parts without a price")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        known = {name: value for name, value in self.parts.items() if value is not None}
        if self.capex_usd is not None and len(known) == len(self.parts):
            leaves_sum(known, self.capex_usd, "cost.parts")
        return self
