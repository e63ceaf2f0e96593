//! A request with some of its numbers at other values, again and again, without copying or reading it anew.

use serde_json::{Number, Value};

/// One step of a JSON pointer (RFC 6901), unescaped once.
enum Step {
    Key(String),
    Index(usize),
}

/// A problem and the places of the numbers that draws change.
pub struct Patch {
    problem: Value,
    places: Vec<Vec<Step>>,
}

impl Patch {
    /// `pointers` name numbers of `problem`: [`check`](super::check) has seen to it.
    pub fn new(problem: Value, pointers: &[String]) -> Self {
        let places = pointers.iter().map(|pointer| steps(&problem, pointer)).collect();
        Self { problem, places }
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// A copy for one thread.
    pub fn copy(&self) -> Copied<'_> {
        Copied { patch: self, value: self.problem.clone() }
    }
}

/// A copy of the problem that holds the numbers of the last row.
pub struct Copied<'a> {
    patch: &'a Patch,
    value: Value,
}

impl Copied<'_> {
    /// The problem with the numbers of `row`; one that JSON cannot hold (NaN, infinity) leaves the problem's own.
    pub fn with(&mut self, row: &[f64]) -> &Value {
        for (steps, number) in self.patch.places.iter().zip(row) {
            let Some(place) = at_mut(&mut self.value, steps) else { continue };
            match (Number::from_f64(*number), at(&self.patch.problem, steps)) {
                (Some(number), _) => *place = Value::Number(number),
                (None, Some(own)) => place.clone_from(own),
                (None, None) => {}
            }
        }
        &self.value
    }
}

fn steps(problem: &Value, pointer: &str) -> Vec<Step> {
    let mut place = Some(problem);
    let mut steps = Vec::new();
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        let (step, next) = match place {
            Some(Value::Array(items)) => {
                let index = key.parse().unwrap_or(usize::MAX);
                (Step::Index(index), items.get(index))
            }
            other => {
                let next = other.and_then(|value| value.get(&key));
                (Step::Key(key), next)
            }
        };
        steps.push(step);
        place = next;
    }
    steps
}

fn at<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn at_mut<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Patch;

    fn pointers(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_row_changes_its_numbers_and_nothing_else() {
        let problem = json!({"a/b": [1.0, {"c~": 2.0}], "d": 3.0, "e": "text"});
        let patch = Patch::new(problem, &pointers(&["/a~1b/1/c~0", "/d", "/a~1b/0"]));
        let expected = json!({"a/b": [9.0, {"c~": 7.0}], "d": 8.0, "e": "text"});
        assert_eq!(*patch.copy().with(&[7.0, 8.0, 9.0]), expected);
    }

    #[test]
    fn no_row_leaves_a_trace_in_the_next() {
        let patch = Patch::new(json!({"a": 1.5, "b": 2}), &pointers(&["/a", "/b"]));
        let mut copy = patch.copy();
        copy.with(&[4.0, 5.0]);
        assert_eq!(*copy.with(&[f64::NAN, 6.0]), json!({"a": 1.5, "b": 6.0}), "NaN: the problem's own");
        assert_eq!(*copy.with(&[f64::INFINITY, f64::NAN]), json!({"a": 1.5, "b": 2}));
        assert_eq!(patch.copy().with(&[]), &Value::clone(&patch.problem));
    }
}
