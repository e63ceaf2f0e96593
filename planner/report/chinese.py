"""Texts of plans in Chinese: notes and risks by patterns, labels of figures by their ends, kinds by name.

Names (of chips, links, frameworks) stay as they are. What has no Chinese here is counted, never shown in
English among Chinese words (`sentences`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from planner.report.labels import ENDINGS, NAMES, PIECES
from planner.report.phrases import LABELS

_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r"racks are packed for cards that draw as in training; power, energy and cost are those of the load",
        "机柜按训练功耗排布，功率、能耗与成本按该负载计",
    ),
    (r"(\S+) is left out(?: for (\S+))?: its PUE of (\S+) is above (\S+) \(the legal limit of (\S+)\)",
     r"\2 不采用 \1：PUE \3 高于 \5 的法定上限 \4"),
    (r"(\S+) holds cards of (\S+) at (\S+ ?%) of board power on the hot design day: that cap is searched too "
     r"\(site\.hot_day\)", r"\2 用 \1 时，设计日只能保持板卡功耗的 \3：一并搜索该功耗上限"),
    (r"(\S+) is left out for (\S+): the supply of the halls is not known with it",
     r"\2 不采用 \1：机房供冷温度不适用"),
    (r"no service tried, of up to (\S+) cards, carries the load with (\S+ %) certainty, "
     r"at best (\S+) cards do with "
     r"(\S+ %); the central plan",
     r"至 \1 张卡没有服务方案以 \2 的把握承载该负载，最好为 \3 张卡（\4）；此处为中位方案"),
    (r"no service tried, of up to (\S+) cards, carries the load with (\S+ %) certainty, .+; the central plan",
     r"至 \1 张卡没有服务方案以 \2 的把握承载该负载，此处为中位方案"),
    (r"front without (.+): nobody published the (.+)", r"前沿不含 \1：未公布 \2"),
    (r"site\.tariff is (\S+) USD/kWh, (\S+) times that of (\S+) \((\S+)\): look at its unit",
     r"site.tariff 为 \1 USD/kWh，是 \3（\4）的 \2 倍：请核对单位"),
    (r"answers are of one token: target\.tpot limits nothing", r"回答只有一个词元：target.tpot 不构成约束"),
    (r"(\S+) lists no bf16 peak: its fp16 peak is used", r"\1 未列 bf16 峰值，按 fp16 峰值计"),
    (r"(\S+) has no (\S+) peak: not considered with it", r"\1 没有 \2 峰值，不以该精度参与比较"),
    (r"(\S+): the switches of a domain are not published, so their failures do not count",
     r"\1：域内交换机数量未公布，其故障未计入"),
    (r"(\S+) offers (\S+) MW at the grid intake, taken as a limit", r"\1 电网侧可供 \2 MW，作为约束"),
    (r"a batch of (\S+) tokens is (\S+) sequences", r"\1 词元的批量合 \2 条序列"),
    (r"trace: (\S+) requests, (\S+) on the mean, (\S+) in the busiest window, gaps with spread (\S+) "
     r"\(Poisson: 1\); input (\S+) \(spread (\S+)\), output (\S+) \(spread (\S+)\) tokens; .+",
     r"轨迹：\1 个请求，平均 \2，最忙时段 \3，到达间隔离散 \4（泊松为 1）；输入 \5 词元（离散 \6），"
     r"输出 \7 词元（离散 \8）；按最忙时段定容并以该负载回放"),
    (r"trace: (\S+) requests, (\S+) on the mean, (\S+) in the busiest window, gaps with spread (\S+) "
     r"\(Poisson: 1\); .+",
     r"轨迹：\1 个请求，平均 \2，最忙时段 \3，到达间隔离散 \4（泊松为 1）；按最忙时段定容并回放"),
    (r"(\S+) % of prompt tokens are taken to be found in a cache; .+",
     r"假设 \1% 的提示词元命中缓存；存放缓存的主机内存或硬盘未计容量与费用"),
    (r"an instance decodes (\S+) sequences at once: .+",
     r"每实例同时解码 \1 条序列，单独承担全部权重读取；放宽 target.tpot 或提高单实例负载可大幅降低成本"),
    (r"workload\.precisions is not given: .+",
     "未给出 workload.precisions：权重、乘法与缓存均按 bf16 计，不擅自降低精度"),
    (r"the cache is bf16 beside weights in (.+), as .+", r"权重为 \1 时缓存仍按 bf16 计，不擅自降低精度"),
    (r"workload\.software is not given: host times are .+",
     "未给出 workload.software：主机时间取自语言模型引擎，此类样本没有实测"),
    (r"(\S+) MW (at the grid on the design day|at the transformers on the design day|"
     r"at the uninterruptible supplies|of IT) in (\S+ %) of each step "
     r"\((products|work bound by memory|collectives), (\S+) W a card\): "
     r"above the limit of (\S+) MW, which the mean keeps; (.+)",
     r"每步 \3 的时间（\4，每卡 \5 W）\2 达 \1 MW，高于上限 \6 MW（均值未超）；\7"),
    (r"(\S+) cables of (\S+) m are longer than any module of (\S+) reaches: they are priced as if one did",
     r"\1 根 \2 米线缆超出 \3 所有模块的传输距离，仍按可达计价"),
    (r"a tenth of the draws takes (\S+) times the days stated or more: more spares "
     r"\(reliability\.spare_confidence\) shorten that tail, and --confidence plans for the draws",
     r"十分之一的抽样工期达到所述天数的 \1 倍以上：增加备件（reliability.spare_confidence）可缩短，"
     r"或用 --confidence 按抽样规划"),
    (r"with (.+) at its low the spares no longer suffice", r"若 \1 取下限，备件不足"),
    (r"with (.+) at its high the spares no longer suffice", r"若 \1 取上限，备件不足"),
    (r"with (.+) at its low the model does not fit", r"若 \1 取下限，模型装不下"),
    (r"with (.+) at its high the model does not fit", r"若 \1 取上限，模型装不下"),
    (r"with (.+) at its low no load meets the latencies", r"若 \1 取下限，任何负载都不满足时延"),
    (r"with (.+) at its high no load meets the latencies", r"若 \1 取上限，任何负载都不满足时延"),
    (r"with (.+) at its low the design is over: (.+)", r"若 \1 取下限，超出约束：\2"),
    (r"with (.+) at its high the design is over: (.+)", r"若 \1 取上限，超出约束：\2"),
    (r"with (.+) at its (?:low|high) .*memory.*", r"若 \1 取区间一端，显存不足"),
    (r"memory is (\d+) % full: above (\d+) % allocators thrash and steps slow down",
     r"显存已用 \1%：超过 \2% 时分配器抖动，步时变长"),
    (r"the halls of (\S+) \((\d+)\) bound the plan", r"\1 的现有机房（\2 个）构成约束"),
    (r"(\S+) is left out: its cards come from (\w+), not from (.+) \(limits\.origin\)",
     r"不采用 \1：加速卡产自 \2，不在允许的产地 \3 之内"),
    (r"(\S+) is left out: (.*)a TPP of (\S+) (.*)\(ECCN (\S+)\)(.*)",
     r"不采用 \1：TPP \3，受 ECCN \5 出口管制"),
    (r"dimensions that --layout leaves open, chosen as the best: (.+)",
     r"--layout 未指定的维度按最优选取：\1"),
    (r"no lawful layout has what --layout names; dimensions left open are taken as (.+)",
     r"没有满足 --layout 的合法切分；未指定的维度取 \1"),
    (r"no cluster tried, up to (\S+) cards, meets the target with (\S+) % certainty"
     r"(?:; at best (\S+) % with .+)?",
     r"至 \1 张卡没有方案以 \2% 的把握达到目标；此处为各项取中值的方案"),
    (r"(\S+) % sure needs (\S+) cards, over the limit of (\S+)",
     r"要有 \1% 的把握需 \2 张卡，超过上限 \3"),
    (r"no design meets target and limits at the central figures: nothing is sampled",
     "按中位数据没有方案同时满足目标与约束，未抽样"),
    (r"no service meets target and limits at the central figures: nothing is drawn",
     "按中位数据没有服务同时满足目标与约束，未抽样"),
    (r"model (\S+): text_config is the model; vision or audio parts are left out",
     r"模型 \1：按 text_config 计，未含视觉与音频部分"),
    (r"model (\S+): (\S+) = (.+?) \(.*\)", r"模型 \1：推断 \2 = \3"),
    (r"workload\.workload_class is not given: nothing is said of how mature the chip's software is for it",
     "未给出 workload.workload_class：不评价该芯片在此类任务上的软件成熟度"),
    (r"([\d,]+) links", r"\1 条链路"),
    (r"([\d,]+) servers( \(16 drawn\))?", r"\1 台服务器\2"),
    (r"([\d,]+) (leaf|spine|core)( \(16 drawn\))?", r"\1 台 \2 交换机\3"),
    (r"(compute|network|interconnect|storage|cooling) \(([\d,]+)\)", r"\1（\2）"),
    (r"(\S+) switch", r"\1 交换机"),
    (r"inside the limits the fastest plan takes (\S+) days at (\S+) tokens/s",
     r"约束内最快需 \1 天，每秒 \2 词元"),
    (r"inside the other limits ([\d,]+) cards are the best", r"在其余约束内最多用 \1 张卡"),
    (r"without the limits ([\d,]+) cards do it", r"若无约束，\1 张卡可以做到"),
    (r"over: (.+)", r"超出：\1"),
    (r"no lawful layout fits into the memory of a device", "没有合法切分能放进单个设备的显存"),
    (r"no layout of the space is lawful: the space is empty", "搜索空间为空，没有合法切分"),
    (r"no layout of the space is lawful", "搜索空间内没有合法切分"),
    (r"those that come furthest fail the rule (\S+)", r"走得最远的切分违反规则 \1"),
    (r"the best service yields (\S+) tokens/s per card, less than asked for",
     r"最优方案每卡每秒 \1 词元，低于要求"),
    (r"the limits leave room for (\S+) requests/s at most, (\S+) are asked for",
     r"约束内每秒至多 \1 个请求，要求 \2"),
    (r"no chip here has a peak at the precisions asked for", "所列芯片都没有所要求精度的峰值"),
    (r"the weights and one request fit on no instance of the space", "权重加一个请求放不进任何实例"),
    (r"no layout of the space is lawful for the model and the servers", "对该模型与服务器没有合法切分"),
    (r"(tpot|ttft|latency) binds: at best (\S+ \S+), (\S+ \S+) are asked for", r"\1 受限：最好 \2，要求 \3"),
    (r"no layout meets all latencies at once(?: at (\S+) a second)? with at most (\S+) cards",
     r"至多 \2 张卡时没有切分同时满足全部时延（每秒负载：\1）"),
    (r"(\S+) is left out: .+", r"不采用 \1（原因见方案 JSON）"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), said) for pattern, said in _PATTERNS)
_WORDS = {
    "at the grid on the design day": "设计日电网侧",
    "at the transformers on the design day": "设计日变压器侧",
    "at the uninterruptible supplies": "UPS 侧", "of IT": "IT", "products": "矩阵乘",
    "work bound by memory": "访存受限", "collectives": "集合通信",
    "capex_usd": "投资", "tco_usd_per_year": "年总成本", "facility_megawatts": "电网侧功率",
    "energy_mwh_per_year": "年用电量", "tokens_per_second": "吞吐", "cards": "卡数", "days": "天数",
    "fewer cards keep it inside, no power cap does": "只有减少卡数才能不超，限功耗不够",
    "leaf": "叶", "spine": "脊", "core": "核心", "compute": "计算", "network": "网络", "interconnect": "互联",
    "storage": "存储", "cooling": "冷却液分配",
}  # fmt: skip

_OF = {
    "bandwidth": "带宽",
    "latency": "时延",
    "reductions in the switches": "网内规约效率",
    "rack power": "机柜供电",
    "busway power": "母线容量",
    "liquid power": "液冷散热量",
    "air power": "风冷散热量",
    "floor load": "楼板承重",
    "floor area": "机房面积",
    "supply temperature": "供冷温度",
    "transformer kva": "变压器容量",
}
"""What a label says of a part that it names: ``bandwidth of NVLink 5``."""


def name(text: str) -> str:
    """A kind (``cold-plate``, ``rail-optimised``, ``prefill``) in Chinese; other names stay."""
    return NAMES.get(text, text)


def label(text: str) -> str:
    """``P800 memory bandwidth`` as ``P800 显存带宽``: what the label ends in, with the name in front."""
    for pattern, say in _LABELS:
        found = pattern.fullmatch(text)
        if found:
            return say(*found.groups()).strip()
    for ending, said in ENDINGS:
        if text == ending or text.endswith(f" {ending}"):
            return f"{pieces(text.removesuffix(ending).strip())} {said}".strip()
    return pieces(text)


_LABELS: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (re.compile(rf"(.*?) ?\b({'|'.join(_OF)}) of (.+)"),
     lambda name, what, part: f"{pieces(name)} {_OF[what]}（{pieces(part)}）"),
    (re.compile(r"(.*) (?:with|of) (cold-plate|contained-air|immersion|rear-door|room-air)"),
     lambda what, kind: f"{label(what)}（{name(kind)}）"),
    (re.compile(r"(.*?) ?factor on (\w+) of (\S+)"),
     lambda sheet, what, family: f"{pieces(sheet)} {family} 系数（{LABELS.get(what, what)}）"),
    (re.compile(r"first port \((.+)\): speed"), lambda level: f"首次移植（{name(level)}）：速度"),
    (re.compile(r"first port \((.+)\): failures by software"),
     lambda level: f"首次移植（{name(level)}）：软件故障"),
)  # fmt: skip


def pieces(text: str) -> str:
    """A name with the common words in it in Chinese."""
    for english, said in PIECES:
        text = re.sub(rf"(?<!\w){re.escape(english)}(?!\w)", said, text)
    return text


def sentence(text: str) -> str | None:
    """A note or a risk in Chinese; None where there is no Chinese for it."""
    for pattern, said in _COMPILED:
        found = pattern.fullmatch(text)
        if found is not None:
            groups = found.groups()
            made = re.sub(r"\\(\d)", lambda place, own=groups: _piece(own[int(place[1]) - 1]), said)  # type: ignore[misc]
            return made.replace("(16 drawn)", "（绘出 16）").strip()
    return None


def reasons(text: str) -> str:
    """Why something cannot be, part by part; parts that have no Chinese are left out."""
    said = [sentence(part) for part in text.split("; ")]
    return "；".join(part for part in said if part is not None)


def _piece(text: str | None) -> str:
    if text is None:
        return ""
    listed = text.split(", ")
    if len(listed) > 1 and all(part in NAMES for part in listed):
        return "、".join(NAMES[part] for part in listed)
    capped = re.fullmatch(r"a cap of these cards at (\d+) % of board power keeps it inside", text)
    if capped:
        return f"把这些卡限到板卡功耗的 {capped[1]} % 即不超"
    return _WORDS.get(text) or NAMES.get(text) or label(text)


def sentences(texts: Iterable[str]) -> list[str]:
    """Each text in Chinese; those without any are counted at the end."""
    known = [(text, sentence(text)) for text in texts]
    said = [chinese for _, chinese in known if chinese is not None]
    rest = sum(chinese is None for _, chinese in known)
    return [*said, f"另有 {rest} 条仅有英文，见方案 JSON"] if rest else said
