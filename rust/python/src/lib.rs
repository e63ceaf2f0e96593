//! The Python face of the core: requests and answers cross as JSON bytes, nothing is computed here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use planner_core::error::CoreError as Refusal;
use planner_core::many::{self, Failure, Outcome};
use planner_core::sampling;
use planner_core::search::Progress;
use planner_core::supply as supplies;
use planner_core::wire;
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

create_exception!(_core, CoreError, PyValueError, "The core refused a request; the message names the key.");

fn to_python(refusal: &Refusal) -> PyErr {
    match refusal {
        Refusal::Interrupted => PyKeyboardInterrupt::new_err("interrupted"),
        other => CoreError::new_err(other.to_string()),
    }
}

/// Runs `work` without the interpreter lock; a panic becomes a `RuntimeError`, never an abort.
fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Refusal> + Send) -> PyResult<T> {
    let result = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    match result {
        Ok(answer) => answer.map_err(|refusal| to_python(&refusal)),
        Err(_) => Err(panicked()),
    }
}

/// Answers of a batch as a list: bytes, or the exception that the request alone would have raised.
fn batch<'py>(
    py: Python<'py>,
    requests: &[Vec<u8>],
    threads: usize,
    answer: impl FnOnce(&[Vec<u8>], usize) -> Result<Vec<Outcome>, Refusal> + Send,
) -> PyResult<Bound<'py, PyList>> {
    let outcomes = outside(py, || answer(requests, threads))?;
    let items = outcomes.into_iter().map(|outcome| match outcome {
        Ok(answer) => PyBytes::new(py, &answer).into_any(),
        Err(Failure::Refused(refusal)) => to_python(&refusal).into_value(py).into_bound(py).into_any(),
        Err(Failure::Panicked) => panicked().into_value(py).into_bound(py).into_any(),
    });
    PyList::new(py, items.collect::<Vec<_>>())
}

fn panicked() -> PyErr {
    PyRuntimeError::new_err("the core panicked; please report the problem file")
}

/// How often signals are checked and progress is told.
const TICK: Duration = Duration::from_millis(50);

/// Searches on a thread of its own while this one (the interpreter's) watches: signals only reach the main thread.
/// An error of `watch` stops the search and is handed on.
fn watched(
    work: impl FnOnce(&mut (dyn FnMut(Progress) -> bool + Send)) -> Result<Vec<u8>, Refusal> + Send,
    watch: impl Fn(Progress) -> PyResult<bool>,
) -> Result<PyResult<Vec<u8>>, Refusal> {
    let go_on = AtomicBool::new(true);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let search = scope.spawn(|| {
            // The sender moves in: its end tells the watcher that the search is over.
            let mut tell = {
                let go_on = &go_on;
                move |step: Progress| sender.send(step).is_ok() && go_on.load(Ordering::Relaxed)
            };
            work(&mut tell)
        });
        let mut step = Progress { done: 0, total: 0, candidates: 0, found: false, gap: None };
        let mut trouble = None;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(next) => step = next,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(next) = receiver.try_recv() {
                step = next;
            }
            if trouble.is_none() {
                match watch(step) {
                    Ok(true) => {}
                    Ok(false) => go_on.store(false, Ordering::Relaxed),
                    Err(error) => {
                        trouble = Some(error);
                        go_on.store(false, Ordering::Relaxed);
                    }
                }
            }
        }
        let answer = search.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(trouble.map_or(Ok(answer), Err))
    })
}

/// Checks signals and tells the callback, which may end a search by False.
fn told(progress: Option<&Py<PyAny>>, step: Progress) -> PyResult<bool> {
    Python::attach(|py| {
        py.check_signals()?;
        match progress {
            Some(callback) => callback
                .call1(py, (step.done, step.total, step.candidates, step.found, step.gap))?
                .is_truthy(py),
            None => Ok(true),
        }
    })
}

/// Floats from the bytes of a numpy array.
fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|chunk| f64::from_ne_bytes(*chunk)).collect()
}

/// The extension module `planner._core`.
#[pymodule]
mod _core {
    use super::{PyBytes, PyList, batch, many, numbers, outside, sampling, supplies, told, watched, wire};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::CoreError;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        if cfg!(debug_assertions) {
            let warnings = module.py().import("warnings")?;
            warnings.call_method1(
                "warn",
                ("planner._core is a debug build: 20 times slower than a release build",),
            )?;
        }
        Ok(())
    }

    /// Version of the core.
    #[pyfunction]
    fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Answers a problem/1 (JSON bytes) with a result/1. `progress(done, total, candidates, found, gap)` may return False to
    /// stop with the best so far; signals are checked between batches.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned references
    #[pyo3(signature = (request, progress=None))]
    fn size<'py>(
        py: Python<'py>,
        request: &[u8],
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || {
            watched(|tell| wire::size_json(request, tell), |step| told(progress.as_ref(), step))
        })??;
        Ok(PyBytes::new(py, &answer))
    }

    /// Evaluates one design of a problem (JSON bytes both ways).
    #[pyfunction]
    fn evaluate<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::evaluate_json(request))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Answers a service/1 (JSON bytes) with a service-result/1; `progress` as of `size`.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned references
    #[pyo3(signature = (request, progress=None))]
    fn size_service<'py>(
        py: Python<'py>,
        request: &[u8],
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || {
            watched(|tell| wire::size_service_json(request, tell), |step| told(progress.as_ref(), step))
        })??;
        Ok(PyBytes::new(py, &answer))
    }

    /// Evaluates one service of a problem (JSON bytes both ways).
    #[pyfunction]
    fn evaluate_service<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::evaluate_service_json(request))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Counts the parts of a fabric (JSON bytes both ways).
    #[pyfunction]
    fn fabric<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::fabric_json(request))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Answers the questions of a serving/1 request (JSON bytes), each an answer or an error, as a JSON list.
    #[pyfunction]
    fn evaluate_serving<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::serving_json(request))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Supply of many inputs (JSON bytes both ways).
    #[pyfunction]
    fn supply<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::supply_json(request))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Cards delivered by months, or months until cards (`until`), for draws of (stock, packages a month, lead time, ramp):
    /// bytes of 64-bit floats in and out, points x draws.
    #[pyfunction]
    fn deliveries<'py>(
        py: Python<'py>,
        draws: &[u8],
        points: &[u8],
        until: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let asked = if until { supplies::Asked::MonthsUntil } else { supplies::Asked::Delivered };
        let answer = outside(py, || {
            let found = supplies::deliveries(&numbers(draws), &numbers(points), asked)?;
            Ok(found.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>())
        })?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Evaluates the designs of a request under every row of `values`: bytes of 64-bit floats in, bytes of 64-bit floats
    /// out (draws x designs x outputs), both in the byte order of this machine.
    #[pyfunction]
    fn sample<'py>(
        py: Python<'py>,
        request: &[u8],
        values: &[u8],
        threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let columns = outside(py, || {
            let columns = sampling::sample(request, &numbers(values), threads)?;
            Ok(columns.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>())
        })?;
        Ok(PyBytes::new(py, &columns))
    }

    /// The fewest cards under every row of `values` with which one of the families of a request is done within the days of
    /// its cluster: bytes of 64-bit floats in and out, as for `sample`.
    #[pyfunction]
    fn fewest<'py>(
        py: Python<'py>,
        request: &[u8],
        values: &[u8],
        days: &[u8],
        threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let rows = outside(py, || {
            let rows = sampling::fewest::fewest(request, &numbers(values), &numbers(days), threads)?;
            Ok(rows.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>())
        })?;
        Ok(PyBytes::new(py, &rows))
    }

    /// Answers many problem/1 (JSON bytes), each by itself on one of `threads` threads (0: all cores): a list of
    /// result/1, or of the exception in the place of a request that cannot be answered.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned lists
    fn size_many(py: Python<'_>, requests: Vec<Vec<u8>>, threads: usize) -> PyResult<Bound<'_, PyList>> {
        batch(py, &requests, threads, many::size_many)
    }

    /// Evaluates many designs, as `evaluate` and `size_many`.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned lists
    fn evaluate_many(py: Python<'_>, requests: Vec<Vec<u8>>, threads: usize) -> PyResult<Bound<'_, PyList>> {
        batch(py, &requests, threads, many::evaluate_many)
    }

    /// Answers many service/1 (JSON bytes), as `size_many`.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned lists
    fn size_services(py: Python<'_>, requests: Vec<Vec<u8>>, threads: usize) -> PyResult<Bound<'_, PyList>> {
        batch(py, &requests, threads, many::size_services)
    }

    /// Evaluates many services, as `evaluate_service` and `size_many`.
    #[pyfunction]
    #[allow(clippy::needless_pass_by_value)] // the interpreter hands over owned lists
    fn evaluate_services(
        py: Python<'_>,
        requests: Vec<Vec<u8>>,
        threads: usize,
    ) -> PyResult<Bound<'_, PyList>> {
        batch(py, &requests, threads, many::evaluate_services)
    }

    /// Evaluates layouts of a problem (JSON bytes) on one core, bounds off, for about `seconds`; rates as JSON bytes.
    #[pyfunction]
    fn evaluation_rate<'py>(py: Python<'py>, request: &[u8], seconds: f64) -> PyResult<Bound<'py, PyBytes>> {
        let answer = outside(py, || wire::rate_json(request, seconds))?;
        Ok(PyBytes::new(py, &answer))
    }
}
