"""Rules and limits in words, for people; the names themselves are those of the engine."""

from __future__ import annotations

_RULES = {
    "heads_over_tensor": "tp must divide the query heads, and tp and the kv heads must divide one another",
    "width_over_tensor": "tp must divide the width of the feed-forward network",
    "sequence_over_context": "2 x cp must divide the sequence, and with sequence parallelism tp the rest",
    "layers_over_pipeline": "there are fewer layers than pipeline chunks (pp x vpp)",
    "interleaving": "vpp above 1 needs pp above 1 and equal chunks (but for the first and last)",
    "experts": "ep must divide the experts, ep x etp must divide tp x cp x dp, and etp is 1 or tp",
    "sharding_with_pipeline": "sharding stages 2 and 3 do not go with pp above 1",
    "switches": "no whole sends with sequence parallelism, no offloaded weights with sharding stage 3, no "
    "offloading to a host of unknown memory or link",
    "placement": "what is placed in a scale-up domain must fill it evenly, with cp and ep 1",
    "batch": "no multiple of dp x micro_batch is within the tolerance of the global batch",
    "few_micro_batches": "vpp above 1 needs at least pp micro-batches",
    "memory": "it does not fit into the memory of a device",
    "host_memory": "what is offloaded does not fit into the memory of the host",
    "limits": "it is over a limit",
    "target": "it is slower than the target",
    "spares": "too few cards are left over for the spares that it needs",
}

_LIMITS = {
    "target.days": "the deadline",
    "target.tokens_per_second": "the wanted throughput",
    "target.tpot": "time per output token",
    "target.ttft": "time to the first token",
    "pool.prefill": "the prefill pool runs full first",
    "pool.decode": "the decode pool runs full first",
    "pool.serve": "the pool runs full first",
    "limits.cards": "the number of cards",
    "limits.cards_max": "the largest number of cards",
    "limits.cards_min": "the smallest number of cards",
    "limits.facility_watts": "power at the grid intake on the design day, typical draw",
    "limits.it_watts": "IT power at the servers' plugs, typical draw",
    "limits.nameplate_watts": "IT power at the servers' plugs, nameplate",
    "limits.transformer_watts": "power at the output of the transformers on the design day, typical draw",
    "limits.ups_watts": "power at the output of the uninterruptible supplies, typical draw",
    "limits.nameplate_intake_watts": "power at the grid intake on the design day, nameplate",
    "limits.liquid_watts": "heat that the halls' liquid takes",
    "limits.air_watts": "heat that the halls' air takes",
    "limits.halls": "the halls",
    "limits.racks": "racks",
    "site.hot_day": "what cooling holds cards at on the hot design day",
    "site.hall": "what a rack of the halls carries",
    "limits.floor_m2": "white space of the halls",
    "limits.capex_usd": "capital",
    "supply.by_months": "the date by which the cards have to be there",
    "memory": "device memory",
    "target": "the target",
    "limits": "the limits",
    "layout": "the rules of lawful layouts",
}


def rule_words(rule: str) -> str:
    """``batch: no multiple of ...``."""
    return f"{rule}: {_RULES[rule]}" if rule in _RULES else rule


def limit_words(limit: str) -> str:
    """``the deadline (target.days)``."""
    return f"{_LIMITS[limit]} ({limit})" if limit in _LIMITS else limit
