//! One instance at work: rounds of continuous batching, prompts alone, outputs alone.

use crate::serving::case::Instance;
use crate::serving::layer::{Bench, Work};
use crate::serving::step::{StepTimes, step};
use crate::serving::units::lognormal_quantile;

/// A round of an instance at a batch: what a step takes on the mean, and how prompts fare in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Mean step by cause.
    pub times: StepTimes,
    /// Mean step, seconds.
    pub step: f64,
    /// The step without prompts, seconds.
    pub pure: f64,
    /// Share of steps that hold prompt tokens.
    pub mixed_share: f64,
    /// Time of a lone prompt from its start to its first token, seconds.
    pub prompt_service: f64,
    /// Time for which a prompt keeps others from starting, when many wait, seconds.
    pub prompt_busy: f64,
}

/// Lanes of an instance: data-parallel ranks times micro-batches of the pipeline.
#[must_use]
pub fn lanes(instance: &Instance) -> f64 {
    f64::from(instance.dp * instance.pp)
}

fn accepted(bench: &Bench) -> f64 {
    bench.question.speculation.map_or(1.0, |speculation| speculation.accepted())
}

fn width(bench: &Bench) -> f64 {
    bench.question.speculation.map_or(1.0, |speculation| 1.0 + f64::from(speculation.drafted))
}

/// Steps of a request from its first token to its last: (output - 1) / accepted per step, at least one.
#[must_use]
pub fn steps_of_request(bench: &Bench) -> f64 {
    ((bench.question.lengths.output - 1.0) / accepted(bench)).max(1.0)
}

/// Tokens that a request gets per step.
#[must_use]
pub fn tokens_per_step(bench: &Bench) -> f64 {
    accepted(bench)
}

/// Work of a lane that decodes `sequences` (at least one where any is decoded; `sequences` below one means that
/// some lanes idle) and computes `prompt` tokens, `mean` on the mean lane.
fn work(bench: &Bench, sequences: f64, prompt: f64, mean: f64) -> Work {
    let lengths = &bench.question.lengths;
    let whole = if sequences > 0.0 { sequences.max(1.0) } else { 0.0 };
    Work {
        sequences: whole,
        busy: if whole > 0.0 { sequences / whole } else { 1.0 },
        width: width(bench),
        context: lengths.context(),
        prompt,
        prompt_mean: mean,
        keys: lengths.keys(),
        finished: if lengths.computed() > 0.0 { prompt / lengths.computed() } else { 0.0 },
        filling: 0.0,
    }
}

/// The step of a lane that only decodes.
#[must_use]
pub fn decode_step(bench: &Bench, sequences: f64) -> StepTimes {
    step(bench, &work(bench, sequences, 0.0, 0.0))
}

/// The step of lanes that only compute prompts: `tokens` each, `mean` on the mean lane.
#[must_use]
pub fn prompt_step(bench: &Bench, tokens: f64, mean: f64) -> StepTimes {
    step(bench, &work(bench, 0.0, tokens, mean))
}

/// Prompt tokens of a lane at full use: the budget.
#[must_use]
pub fn prompt_room(bench: &Bench, sequences: f64) -> f64 {
    let budget = bench.software.token_budget;
    if bench.software.chunked_prefill {
        (budget - sequences.max(0.0) * width(bench)).max(budget / 16.0)
    } else {
        budget
    }
}

/// Data-parallel ranks that start prompts together: dp^coordination.
#[must_use]
pub fn gathered(bench: &Bench) -> f64 {
    libm::pow(f64::from(bench.instance.dp), bench.software.prefill_coordination)
}

/// Steps that the longest of `count` prompts takes over those of the mean one, log-normal lengths, `chunks` per prompt
/// on the mean: the quantile at count / (count + 1). 1 without spread.
fn longest_of(spread: f64, count: f64, chunks: f64) -> f64 {
    if spread <= 0.0 || chunks <= 0.0 || count <= 1.0 {
        return 1.0;
    }
    let mean = chunks.max(1.0);
    let longest = chunks * lognormal_quantile(spread, count / (count + 1.0));
    (longest.max(1.0) / mean).max(1.0)
}

/// Continuous batching at `sequences` in decode per lane, in balance: as many requests start as end.
///
/// Per step b A / output requests end and as many prompts start. Chunked: a share f of the steps holds a chunk of
/// prompt tokens beside the decoded ones, as large as a prompt, as what comes per step, or as the budget leaves.
/// Otherwise prompts run in steps of their own while decode waits. Data-parallel ranks step together, so all wait
/// for any that prefills, and so do the micro-batches of a pipeline, of which none overtakes another: 1 - (1 - f)^n of
/// the steps, n = dp^(1 - coordination) pp.
#[must_use]
pub fn aggregated(bench: &Bench, sequences: f64) -> Round {
    let lengths = &bench.question.lengths;
    let (software, instance) = (bench.software, bench.instance);
    let prompt = lengths.computed();
    let ends = sequences / steps_of_request(bench);
    let demand = ends * prompt;
    let room = prompt_room(bench, sequences);
    let chunk = room.min(prompt.max(demand)).max(f64::MIN_POSITIVE);
    let share = demand / chunk;
    // What starts together ends with its longest prompt.
    let uneven = longest_of(lengths.input_spread, gathered(bench), prompt / chunk);
    let ranks = f64::from(instance.dp) / gathered(bench) * f64::from(instance.pp);
    let spread_share = (share * uneven).min(1.0);
    let any = if share < 1.0 { 1.0 - libm::pow(1.0 - spread_share, ranks) } else { share };
    let pure = decode_step(bench, sequences);
    // Ranks of a step with prompts hold the chunk, or their mean share of it where only some prefill.
    let mean = if any > 0.0 { (demand / any).min(chunk) } else { chunk / f64::from(instance.dp) };
    let decoding = if software.chunked_prefill { sequences } else { 0.0 };
    let filled = step(bench, &work(bench, decoding, chunk, mean));
    let full = step(bench, &work(bench, decoding, room, room)).total().0;
    let lone_chunk = prompt.min(room);
    let alone_mean = lone_chunk / f64::from(instance.dp);
    let alone = step(bench, &work(bench, decoding, lone_chunk, alone_mean)).total().0;
    let (times, mixed_share) = if software.chunked_prefill {
        // Beyond the budget prompts queue; a step cannot hold more than one chunk.
        let share = any.min(1.0);
        (filled.mix(share, &pure, 1.0 - share), share)
    } else {
        (filled.mix(any, &pure, 1.0), any / (1.0 + any))
    };
    Round {
        times,
        step: times.total().0,
        pure: pure.total().0,
        mixed_share,
        prompt_service: alone * (prompt / lone_chunk.max(f64::MIN_POSITIVE)).max(1.0),
        prompt_busy: full * prompt / room,
    }
}

/// Seconds that a run takes beyond its steady rounds because a lane of `held` requests fills step by step and drains.
///
/// The prompts of a batch enter over m = held P / room steps, P tokens each, beside half of what is decoded in the end;
/// the last of them leaves m steps after the first, beside as many. The decoded tokens are those of m steady rounds, so
/// what is added are m steps of the weights, the exchange and the host:
/// m (mixed(b / 2) + pure(b / 2) - mixed(b)), m at most an output, b at most what enters during one. 0 where prompts
/// have steps of their own, which all wait for.
#[must_use]
pub fn ramp(bench: &Bench, held: f64) -> f64 {
    let prompt = bench.question.lengths.computed();
    if !bench.software.chunked_prefill || prompt <= 0.0 {
        return 0.0;
    }
    let (room, output) = (prompt_room(bench, held), steps_of_request(bench));
    let steps = (held * prompt / room).min(output);
    let reached = held.min(output * room / prompt);
    let mixed = |sequences: f64| step(bench, &work(bench, sequences, room, room)).total().0;
    let half = reached / 2.0;
    steps * (mixed(half) + decode_step(bench, half).total().0 - mixed(reached)).max(0.0)
}

/// A prefill instance: a lane computes `prompts` at a time (none: as many as the budget holds).
#[must_use]
pub fn prefill(bench: &Bench, prompts: Option<f64>) -> Round {
    let prompt = bench.question.lengths.computed();
    let room = prompt_room(bench, 0.0);
    let lanes = lanes(bench.instance);
    let tokens = prompts.map_or(room, |count| (count / lanes).max(1.0) * prompt);
    let busy_share = prompts.map_or(1.0, |count| (count / lanes).min(1.0));
    let times = prompt_step(bench, tokens, tokens * busy_share);
    let lone_chunk = prompt.min(room);
    let alone = prompt_step(bench, lone_chunk, lone_chunk / f64::from(bench.instance.dp)).total().0;
    let whole = times.total().0;
    Round {
        times,
        step: whole,
        pure: whole,
        mixed_share: 1.0,
        prompt_service: alone * (prompt / lone_chunk.max(f64::MIN_POSITIVE)).max(1.0),
        prompt_busy: whole * prompt / tokens.max(f64::MIN_POSITIVE) / busy_share,
    }
}

/// A decode instance at `sequences` per lane.
#[must_use]
pub fn decode(bench: &Bench, sequences: f64) -> Round {
    let times = decode_step(bench, sequences);
    let whole = times.total().0;
    Round { times, step: whole, pure: whole, mixed_share: 0.0, prompt_service: 0.0, prompt_busy: 0.0 }
}
