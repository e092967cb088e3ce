//! Why a command was refused, as data: a stable reason, the kind that decides what the caller can
//! do about it, and every violated field at once.

use serde::{Deserialize, Serialize};

/// What the caller can do about a refusal. The transport maps each kind to one status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The request itself is wrong; sending it again cannot help.
    Invalid,
    /// The thing does not exist.
    NotFound,
    /// The thing, or a unique name of it, exists already.
    AlreadyExists,
    /// The rule says no in the present state; it may say yes after the state has changed.
    Precondition,
    /// The caller is known and may not do this.
    Forbidden,
    /// Somebody else changed the thing in the meantime; reload first.
    Conflict,
    /// A limit is reached.
    Exhausted,
    /// Stored data cannot be read by this release.
    DataLoss,
}

/// Most violated fields of a request that are noted.
pub const MAX_VIOLATIONS: usize = 1_000;

/// One violated field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Path of the field in the request, in snake case, such as `primary_contact.email`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub description: String,
}

/// A refusal with a stable `reason` in UPPER_SNAKE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// What the caller can do about it.
    pub kind: Kind,
    /// Stable, machine-readable, UPPER_SNAKE; never reused for another meaning.
    pub reason: String,
    /// One sentence for a person: what is wrong and what would be right.
    pub message: String,
    /// All violated fields, for [`Kind::Invalid`].
    pub violations: Vec<Violation>,
    /// The resource concerned, such as `partners/acme`, where there is one.
    pub resource: Option<String>,
}

impl Rejection {
    /// A refusal of the given kind without field violations.
    pub fn new(kind: Kind, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            message: message.into(),
            violations: Vec::new(),
            resource: None,
        }
    }

    /// The rule says no in the present state.
    pub fn precondition(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Precondition, reason, message)
    }

    /// The named resource does not exist. `what` is the singular, `id` its identifier.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        let reason = format!("{}_NOT_FOUND", what.to_uppercase().replace([' ', '-'], "_"));
        let mut rejection = Self::new(
            Kind::NotFound,
            reason,
            format!("{what} {id} does not exist"),
        );
        rejection.resource = Some(format!("{what}/{id}"));
        rejection
    }

    /// The named resource exists already.
    pub fn already_exists(what: &str, id: impl std::fmt::Display) -> Self {
        let reason = format!("{}_EXISTS", what.to_uppercase().replace([' ', '-'], "_"));
        let mut rejection = Self::new(
            Kind::AlreadyExists,
            reason,
            format!("{what} {id} exists already"),
        );
        rejection.resource = Some(format!("{what}/{id}"));
        rejection
    }

    /// One wrong field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(field, description);
        violations.into_rejection()
    }
}

/// Collects every violated field of a request, so that the caller learns all of them at once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes one violated field. Beyond [`MAX_VIOLATIONS`] nothing more is noted: a request of
    /// which everything is wrong must not grow by being described.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.0.len() >= MAX_VIOLATIONS {
            return;
        }
        self.0.push(Violation {
            field: field.into(),
            description: description.into(),
        });
    }

    /// Keeps the value of `result`, or notes its violations under `prefix` and gives `None`.
    pub fn take<T>(&mut self, prefix: &str, result: Result<T, Rejection>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(rejection) if rejection.violations.is_empty() => {
                self.add(prefix, rejection.message);
                None
            }
            Err(rejection) => {
                let room = MAX_VIOLATIONS.saturating_sub(self.0.len());
                for violation in rejection.violations.into_iter().take(room) {
                    let field = match (prefix.is_empty(), violation.field.is_empty()) {
                        (true, _) => violation.field,
                        (false, true) => prefix.to_owned(),
                        (false, false) => format!("{prefix}.{}", violation.field),
                    };
                    self.0.push(Violation {
                        field,
                        description: violation.description,
                    });
                }
                None
            }
        }
    }

    /// True when nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok` when nothing was noted, otherwise one rejection that names every field.
    pub fn check(self) -> Result<(), Rejection> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into_rejection())
        }
    }

    /// One rejection that names every field. The message repeats the first.
    pub fn into_rejection(self) -> Rejection {
        let message = match self.0.as_slice() {
            [] => "the request is not valid".to_owned(),
            [only] => format!("{}: {}", only.field, only.description),
            [first, rest @ ..] => {
                format!(
                    "{}: {} (and {} more)",
                    first.field,
                    first.description,
                    rest.len()
                )
            }
        };
        let mut rejection = Rejection::new(Kind::Invalid, "INVALID_REQUEST", message);
        rejection.violations = self.0;
        rejection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_which_everything_is_wrong_is_not_described_without_end() {
        let mut many = Violations::default();
        for at in 0..MAX_VIOLATIONS + 10 {
            many.add(format!("[{at}]"), "is wrong");
        }
        let mut outer = Violations::default();
        outer.add("first", "is wrong");
        outer.take::<()>("rows", Err(many.into_rejection()));
        let violations = outer.into_rejection().violations;
        assert_eq!(violations.len(), MAX_VIOLATIONS);
        assert_eq!(violations[0].field, "first");
    }
}
