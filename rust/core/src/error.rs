//! What can go wrong in the core: a problem that cannot be read, or one that contradicts itself.

use thiserror::Error;

/// A refusal of the core. Infeasibility is an answer, not an error.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum CoreError {
    /// The request is not of the wire format.
    #[error("the request cannot be read: {0}")]
    Wire(String),
    /// A number or a combination of keys makes no sense; names the key.
    #[error("{key}: {message}")]
    Invalid {
        /// Dotted key in the request.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl CoreError {
    /// A contradiction at `key`.
    #[must_use]
    pub fn invalid(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { key: key.into(), message: message.into() }
    }
}
