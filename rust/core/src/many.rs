//! Many requests at once: threads outside, every search or evaluation sequential inside.
//!
//! A what-if takes a millisecond or two, too little to spread over cores; thousands of them spread well. Answers
//! stand in the order of the requests and do not depend on the number of threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::CoreError;
use crate::wire::{evaluate_json, evaluate_service_json, search_json, size_service_json};

/// Why a request of a batch has no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The core refused it.
    Refused(CoreError),
    /// The core failed: a bug. The other requests of the batch are answered.
    Panicked,
}

/// The answer to one request of a batch, JSON bytes as of `size_json` or `evaluate_json`.
pub type Outcome = Result<Vec<u8>, Failure>;

/// Answers many `problem/1` with a `result/1` each; `search.threads` of the requests does not count.
///
/// # Errors
/// The threads cannot be started. What is wrong with one request stands in its place.
pub fn size_many<R: AsRef<[u8]> + Sync>(requests: &[R], threads: usize) -> Result<Vec<Outcome>, CoreError> {
    each(requests, threads, |request| search_json(request, &mut |_| true))
}

/// Evaluates many designs, each a request of `evaluate_json`.
///
/// # Errors
/// As for [`size_many`].
pub fn evaluate_many<R: AsRef<[u8]> + Sync>(
    requests: &[R],
    threads: usize,
) -> Result<Vec<Outcome>, CoreError> {
    each(requests, threads, evaluate_json)
}

/// Answers many `service/1` with a `service-result/1` each, as [`size_many`].
///
/// # Errors
/// As for [`size_many`].
pub fn size_services<R: AsRef<[u8]> + Sync>(
    requests: &[R],
    threads: usize,
) -> Result<Vec<Outcome>, CoreError> {
    each(requests, threads, |request| size_service_json(request, &mut |_| true))
}

/// Evaluates many services, each a request of `evaluate_service_json`.
///
/// # Errors
/// As for [`size_many`].
pub fn evaluate_services<R: AsRef<[u8]> + Sync>(
    requests: &[R],
    threads: usize,
) -> Result<Vec<Outcome>, CoreError> {
    each(requests, threads, evaluate_service_json)
}

/// `answer` of each request, on `threads` threads (0: all cores) that take the next one when they are free.
fn each<R: AsRef<[u8]> + Sync>(
    requests: &[R],
    threads: usize,
    answer: impl Fn(&[u8]) -> Result<Vec<u8>, CoreError> + Sync,
) -> Result<Vec<Outcome>, CoreError> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if threads == 0 { cores } else { threads }.min(requests.len()).max(1);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Outcome)>, CoreError> {
        // A pool of this thread alone: what the search spreads over its pool then stays here.
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .use_current_thread()
            .build()
            .map_err(|error| CoreError::invalid("threads", error.to_string()))?;
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(place) else { return Ok(done) };
            let caught = catch_unwind(AssertUnwindSafe(|| alone.install(|| answer(request.as_ref()))));
            done.push((place, caught.map_or(Err(Failure::Panicked), |said| said.map_err(Failure::Refused))));
        }
    };
    let mut all = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(requests.len());
        for worker in running {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, CoreError>(all)
    })?;
    all.sort_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, outcome)| outcome).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(request: &[u8]) -> Result<Vec<u8>, CoreError> {
        match request[0] {
            13 => panic!("unlucky"),
            0 => Err(CoreError::invalid("request", "is zero")),
            n => Ok(vec![2 * n]),
        }
    }

    #[test]
    fn answers_stand_in_the_order_of_the_requests_and_a_failure_costs_only_its_own_place() {
        let requests: Vec<Vec<u8>> = [5, 0, 13, 7, 9].iter().map(|&n| vec![n]).collect();
        let wanted = vec![
            Ok(vec![10]),
            Err(Failure::Refused(CoreError::invalid("request", "is zero"))),
            Err(Failure::Panicked),
            Ok(vec![14]),
            Ok(vec![18]),
        ];
        for threads in [0, 1, 3, 50] {
            assert_eq!(each(&requests, threads, doubled).unwrap(), wanted, "{threads} threads");
        }
        assert_eq!(each(&requests[..0], 2, doubled).unwrap(), vec![]);
    }
}
