//! Many draws of one problem: its uncertain numbers patched, the same designs evaluated again.
//!
//! A request names the numbers by JSON pointer; a matrix holds their values, one row a draw. Threads take rows, and
//! rows stand where they belong, so answers are the same for any number of threads.

pub mod fewest;
mod patch;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::error::CoreError;
use crate::evaluate::design::{CostAnswer, FacilityAnswer};
use crate::evaluate::{DesignChoice, evaluate};
use crate::problem::Problem;
use crate::sampling::patch::Patch;
use crate::service::{self, evaluate::ServiceChoice, problem::ServiceProblem};
use crate::training::layout::Rule;

/// Columns of the answer, in this order, per draw and design. Of a service the first one holds the highest load within its
/// latencies, in requests per second.
pub const OUTPUTS: [&str; 8] = [
    "days",
    "facility_megawatts",
    "facility_design_megawatts",
    "capex_usd",
    "tco_usd_per_year",
    "step_seconds",
    "mfu",
    "reasons",
];

/// It does not fit into memory.
pub const MEMORY: u32 = 1;
/// It is over a limit.
pub const LIMITS: u32 = 2;
/// It breaks another rule of lawful layouts.
pub const LAYOUT: u32 = 4;
/// It has fewer spares than it needs; their lack is in its days.
pub const SPARES: u32 = 8;
/// Such a plant cannot be built: every output but this one is NaN.
pub const UNBUILDABLE: u32 = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    problem: Value,
    designs: Value,
    pointers: Vec<String>,
}

/// Evaluates every design under every draw.
///
/// `values` holds draws x pointers numbers, row by row. The answer holds draws x designs x [`OUTPUTS`] numbers; what is
/// not known (a price; step and MFU of a service) or cannot be is NaN, and `reasons` is the sum of the flags above. A target in the problem does not
/// count here: the caller holds days against it, with the model's own error on top.
///
/// # Errors
/// A request that cannot be read, a pointer to no number, or a matrix of another shape.
pub fn sample(request: &[u8], values: &[f64], threads: usize) -> Result<Vec<f64>, CoreError> {
    let Request { problem, designs, pointers } =
        serde_json::from_slice(request).map_err(|error| CoreError::Wire(error.to_string()))?;
    let asked = match problem.get("schema").and_then(Value::as_str) {
        Some("service/1") => Asked::service(&problem, designs)?,
        _ => Asked::training(&problem, designs)?,
    };
    check(&problem, &pointers, values)?;
    let patch = Patch::new(problem, &pointers);
    let rows = each_row(values, &patch, threads, |_, drawn| asked.drawn(drawn))?;
    Ok(rows.concat())
}

/// Refuses pointers to no number, and values that are no whole rows.
fn check(problem: &Value, pointers: &[String], values: &[f64]) -> Result<(), CoreError> {
    for pointer in pointers {
        if !problem.pointer(pointer).is_some_and(Value::is_number) {
            return Err(CoreError::invalid(format!("pointers: {pointer}"), "is no number of the problem"));
        }
    }
    let width = pointers.len().max(1);
    if !values.len().is_multiple_of(width) {
        let message = format!("{} numbers are no whole rows of {width}", values.len());
        return Err(CoreError::invalid("values", message));
    }
    Ok(())
}

/// What `answer` says to the problem of each row of `values` with its place, in the order of the rows, on `threads` threads
/// (0: all). Each run of rows that a thread takes has one copy of the problem, patched anew for every row.
fn each_row<T: Send>(
    values: &[f64],
    patch: &Patch,
    threads: usize,
    answer: impl Fn(usize, &Value) -> T + Sync,
) -> Result<Vec<T>, CoreError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| CoreError::invalid("threads", error.to_string()))?;
    let rows = values.par_chunks(patch.width().max(1)).enumerate();
    let each = rows.map_init(|| patch.copy(), |copy, (place, row)| answer(place, copy.with(row)));
    Ok(pool.install(|| each.collect()))
}

/// A problem that a draw leaves whole.
fn whole(drawn: &Value) -> Option<Problem> {
    Problem::deserialize(drawn).ok().filter(|problem| problem.validate().is_ok())
}

/// Designs of one kind of problem.
enum Asked {
    Training(Vec<DesignChoice>),
    Service(Vec<ServiceChoice>),
}

impl Asked {
    fn training(problem: &Value, designs: Value) -> Result<Self, CoreError> {
        read::<Problem>(problem.clone())?.validate()?;
        Ok(Self::Training(read(designs)?))
    }

    fn service(problem: &Value, designs: Value) -> Result<Self, CoreError> {
        read::<ServiceProblem>(problem.clone())?.validate()?;
        Ok(Self::Service(read(designs)?))
    }

    /// One draw: outputs of all designs.
    fn drawn(&self, drawn: &Value) -> Vec<f64> {
        match self {
            Self::Training(designs) => {
                let problem = whole(drawn);
                columns(designs, |choice| problem.as_ref().and_then(|problem| trained(problem, choice)))
            }
            Self::Service(designs) => {
                let problem = ServiceProblem::deserialize(drawn).ok();
                let problem = problem.filter(|found| found.validate().is_ok());
                columns(designs, |choice| problem.as_ref().and_then(|problem| served(problem, choice)))
            }
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, CoreError> {
    serde_json::from_value(value).map_err(|error| CoreError::Wire(error.to_string()))
}

/// [`OUTPUTS`] of one design.
type Row = [f64; OUTPUTS.len()];

fn columns<T>(designs: &[T], evaluated: impl Fn(&T) -> Option<Row>) -> Vec<f64> {
    let mut nothing = [f64::NAN; OUTPUTS.len()];
    nothing[OUTPUTS.len() - 1] = f64::from(UNBUILDABLE);
    designs.iter().flat_map(|choice| evaluated(choice).unwrap_or(nothing)).collect()
}

fn trained(problem: &Problem, choice: &DesignChoice) -> Option<Row> {
    let design = evaluate(problem, choice).ok()?;
    let broken = f64::from(reasons(&design.broken_rules));
    let speed = &design.performance;
    Some(row(speed.days, &design.facility, &design.cost, [speed.step_seconds, speed.mfu], broken))
}

fn served(problem: &ServiceProblem, choice: &ServiceChoice) -> Option<Row> {
    let design = service::evaluate::evaluate(problem, choice).ok()?;
    let broken = f64::from(if design.over_limits.is_empty() { 0 } else { LIMITS });
    Some(row(design.most_requests_per_second, &design.facility, &design.cost, [f64::NAN; 2], broken))
}

fn row(first: f64, facility: &FacilityAnswer, cost: &CostAnswer, timing: [f64; 2], broken: f64) -> Row {
    let unknown = |price: Option<f64>| price.unwrap_or(f64::NAN);
    [
        first,
        facility.facility_megawatts,
        facility.facility_design_megawatts,
        unknown(cost.capex_usd),
        unknown(cost.tco_usd_per_year),
        timing[0],
        timing[1],
        broken,
    ]
}

fn reasons(broken: &[Rule]) -> u32 {
    broken.iter().fold(0, |sum, rule| {
        sum | match rule {
            Rule::Memory => MEMORY,
            Rule::Limits => LIMITS,
            Rule::Spares => SPARES,
            Rule::Target => 0,
            _ => LAYOUT,
        }
    })
}
