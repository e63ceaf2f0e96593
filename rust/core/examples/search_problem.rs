//! Searches a `problem/1` file on so many threads: `search_problem FILE [THREADS] [rate|prices]`.
//!
//! For profilers, which need a plain program; with `rate` it evaluates layouts with the bounds off instead.

#![allow(clippy::print_stdout)] // a program of its own

use std::time::Instant;

use planner_core::problem::Problem;
use planner_core::search::prices::prices;
use planner_core::search::rate::evaluation_rate;
use planner_core::search::solved;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let file = words.next().ok_or("name a problem/1 file")?;
    let threads = words.next().map_or(Ok(1), |word| word.parse())?;
    let problem: Problem = serde_json::from_slice(&std::fs::read(file)?)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let started = Instant::now();
    let wanted = words.next();
    if wanted.as_deref() == Some("rate") {
        println!("{:?}", pool.install(|| evaluation_rate(&problem, 2.0))?);
        return Ok(());
    }
    let solved = pool.install(|| solved(&problem, &mut |_| true))?;
    let outcome = &solved.outcome;
    println!("{:.3} s {:?} similar {}", started.elapsed().as_secs_f64(), outcome.tally, outcome.similar);
    println!("{:?} front {}", outcome.best, outcome.front_total);
    if wanted.is_some() {
        let started = Instant::now();
        let told = pool.install(|| prices(&problem, &solved, &mut |_| true))?;
        println!("{:.3} s for prices", started.elapsed().as_secs_f64());
        for price in told {
            println!("{price:?}");
        }
    }
    Ok(())
}
