"""Where the model is weak: what the scores of parts and pairs say by themselves, and known causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Part = Mapping[str, Any]

MEAN = {"dense": 0.08, "moe": 0.13}
"""Mean errors beyond which a part is named; other parts than these two as dense."""
BIAS, P90, ORDER = 0.05, 0.17, 0.97
COVERED = (0.70, 0.95)
LEAST = 4
"""Runs below which a part says little about itself."""
PLACES = (
    ("by_kind", "kind"),
    ("by_family", "chip family"),
    ("by_hardware", "chip"),
    ("by_software", "software"),
)


def weak_parts(answer: Part) -> list[list[str]]:
    """Rows of a table: the parts of the runs that miss a yardstick, and by what."""
    rows = []
    for key, what in PLACES:
        for name, part in answer[key].items():
            missed = list(_missed(name, part)) if part["answered"] >= LEAST else []
            if missed:
                rows.append([f"{what} {name}", str(part["n"]), str(part["groups"]), ", ".join(missed)])
    return rows


def _missed(name: str, part: Part) -> Iterator[str]:
    if part["mape"] > MEAN.get(name, MEAN["dense"]):
        yield f"mean error {100 * part['mape']:.1f} %"
    if abs(part["bias"]) > BIAS:
        yield f"too {'slow' if part['bias'] > 0 else 'fast'} by {100 * abs(part['bias']):.1f} %"
    if part["abs_error_p90"] > P90:
        yield f"P90 {100 * part['abs_error_p90']:.1f} %"
    if not COVERED[0] <= part["coverage80"] <= COVERED[1]:
        yield f"{100 * part['coverage80']:.0f} % in the 80 % band"
    if part["pair_order"] is not None and part["pair_order"] < ORDER:
        yield f"order {100 * part['pair_order']:.0f} % of {part['pairs']} pairs"


def wrong_pairs(answer: Part) -> list[list[str]]:
    """Rows of a table: pairs of layouts ranked wrong, those that share cards and batch first."""
    return [
        [
            pair["faster"],
            pair["slower"],
            "yes" if pair["same_batch"] else "no",
            f"{100 * pair['measured']:.1f} % faster",
            f"{-100 * pair['predicted']:.1f} % slower",
        ]
        for pair in answer["misranked"]
    ]


CAUSES = [
    "- Mixture-of-experts runs: the same layout in several versions of one framework spreads by 18 %",
    "  and more; no model that knows only the date can be better than that. DeepSeek-V3 and",
    "  Qwen3-235B on GB300 ran 29 % faster from spring to summer 2026 in the same layout, Kimi K2 on",
    "  the same machine and software 1 %: DeepSeek-V3 (`mbridge-001`, `-027`) is predicted a third",
    "  too slow. Nothing in the rows says what was tuned for the one and not for the other.",
    "- Eager runs at micro-batch 1 are bound by the host: `mbridge-077` runs half as fast as its",
    "  sibling `-062` at micro-batch 2.",
    "- Recompute and virtual pipeline of some Megatron Bridge rows were taken from the recipe at the",
    "  head of the repository and may differ from the run (the rows say so).",
    "- Ascend 910B: `llama2-70b`, `codellama-34b` (too slow) and `llama-33b` (too fast) run the",
    "  scripts of others with the fused product and collective on or off, which rows do not say;",
    "  shapes and layout being the same, such rows differ by up to 28 %.",
    "- FlagPerf: Llama-1 rows on A100-40 with tensor parallelism and full recomputation (`paddle-6`",
    "  to `-8`) ran over another interconnect, not stated.",
    "- C500: two groups are too few to fit a chip on, so it is predicted like a chip without runs,",
    "  and all four rows come out slower than they ran. Two of them print no rate but an MFU by a",
    "  count of FLOPs that is 0.72 of ours (the A800 rows of the table print both), which their step",
    "  times allow for; read by our count the same rows would be a fifth too fast.",
    "- A100-40: 13B on eight cards and 30B at 8,192 tokens ran at the limit of memory and are 14 to",
    "  29 % slower than the same model on more cards; our count of their memory does not tell them",
    "  from rows that ran well.",
    "- GB300, BF16 and MXFP8 rows of one model: the older container is up to 15 % slower in the same",
    "  layout.",
    "- Memory: two runs do not fit by our count as their table prints them and are read otherwise, as",
    "  their scripts say (16-bit gradients of `nemotron-340b`; 7 to 12 layers a stage of",
    "  `qwen1.5-110b`, which is 12 % too slow with them: its stages of twelve layers leave less idle",
    "  than they should). A row without its script is read so too: with the gentlest uneven stages,",
    "  else with 16-bit gradients, where that fits and costs at most a tenth. One row (`mbridge-070`)",
    "  prints a layout that no card holds and is read as wholly sharded, as its sibling `-083`",
    "  prints. Nine more rows need more than they have and say nothing of offloading, which their",
    "  framework does on such machines: they are taken to offload.",
    "- Chips without any published training run (most domestic ones): what all families with runs",
    "  share, at the chip's ridge point; where somebody measured large matrix products on the chip and",
    "  they promise less, what training reaches of such products on chips with runs (the median of",
    "  eight fitted figures, 0.87): MI300X and the Hygon cards are lowered so, MetaX C550 confirms it,",
    "  others have no measurement. The runs on Ascend 910B, 910C and C500, predicted as a plan on a",
    "  chip without runs is (fits without their family, the profile of stacks that nobody measured),",
    "  stand in the table above. They come from two houses; younger stacks than theirs may be worse.",
    "- Runs of torchtitan on H100 capped to 500 W, and of MindSpeed on 910C and of Qwen3-30B on 910B,",
    "  were predicted before the fit saw them: 8B to 405B on 8 to 512 cards 11 % too fast to 10 % too",
    "  slow, once the power cap, the micro-batches of its pipelines and the repeated heads of its ring",
    "  attention were counted (its rings with every query head's keys and values: 19 to 29 % too fast",
    "  before). 8B at 131,072 and 262,144 tokens over 4 and 8 cards comes out much too fast: a step takes",
    "  2.4 times as long for at most twice the work, and the source does not say why.",
    "- Read once, and no part of the file: Llama 3 405B on 8,192 and 16,384 H100 3 to 8 % too slow,",
    "  DeepSeek-V3 in MindSpeed on 256 910C half too slow (its schedule runs forward and backward",
    "  passes of two micro-batches together), Mixtral 8x22B in Megatron Core 31 % too slow.",
]
