//! Refuses questions that make no sense.

use crate::error::CoreError;
use crate::model::Model;
use crate::serving::case::{Instance, Load, Mode, Pool, Question};

/// Refuses what makes no sense.
pub(super) fn check(model: &Model, question: &Question) -> Result<(), CoreError> {
    let lengths = &question.lengths;
    for (key, value) in [("input", lengths.input), ("output", lengths.output)] {
        if !(value.is_finite() && value >= 1.0) {
            return Err(CoreError::invalid(format!("lengths.{key}"), "must be at least one token"));
        }
    }
    if !(0.0..1.0).contains(&lengths.prefix_hit) {
        return Err(CoreError::invalid("lengths.prefix_hit", "must be 0 or more and below 1"));
    }
    if question.speculation.is_some_and(|speculation| !(0.0..=1.0).contains(&speculation.acceptance)) {
        return Err(CoreError::invalid("speculation.acceptance", "must be 0 to 1"));
    }
    let wanted = question.mode == Mode::Disaggregated;
    if wanted != question.prefill.is_some() {
        return Err(CoreError::invalid("prefill", "is the prefill pool of a disaggregated deployment only"));
    }
    let positive = match question.load {
        Load::Concurrency { requests: amount }
        | Load::Rate { requests_per_second: amount }
        | Load::Batch { sequences: amount } => amount > 0.0 && amount.is_finite(),
        Load::Full => true,
    };
    if !positive {
        return Err(CoreError::invalid("load", "must be a positive number"));
    }
    check_instance("pool", model, &question.pool)?;
    question.prefill.map_or(Ok(()), |pool| check_instance("prefill", model, &pool))
}

fn check_instance(key: &str, model: &Model, pool: &Pool) -> Result<(), CoreError> {
    let Instance { tp, dp, pp, ep, etp } = pool.instance;
    let invalid = |message: &str| Err(CoreError::invalid(format!("{key}.instance"), message));
    if [tp, dp, pp, ep, etp, pool.instances].iter().any(|&degree| degree == 0 || degree > 4096) {
        return invalid("degrees and instances are 1 to 4096");
    }
    if model.moe.is_some() && tp * dp != ep * etp {
        return invalid("tp x dp must equal ep x etp");
    }
    if model.moe.is_none() && ep * etp != 1 {
        return invalid("a dense model has no experts: ep and etp are 1");
    }
    if pp > model.layers {
        return invalid("has more stages than the model has layers");
    }
    if pool.batch.is_some_and(|batch| !(batch > 0.0 && batch.is_finite())) {
        return invalid("batch must be a positive number");
    }
    Ok(())
}
