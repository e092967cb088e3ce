//! A definition as a request carries it.

use tierline_domain::Rejection;
use tierline_domain::program::{ProgramDefinition, program_from_yaml};
use tierline_domain::rejection::Violations;
use tierline_proto::program::v1 as pb;

use super::definition;

/// A definition as YAML text or as messages.
#[derive(Debug, Clone, PartialEq)]
pub enum DefinitionContent {
    /// As YAML text.
    Yaml(String),
    /// As messages.
    Message(Box<pb::ProgramDefinition>),
}

impl DefinitionContent {
    /// Reads it; it is not checked beyond its form.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `yaml`, or on fields below `definition`.
    pub fn read(self) -> Result<ProgramDefinition, Rejection> {
        match self {
            Self::Yaml(text) => program_from_yaml(&text).map_err(|rejection| {
                let mut violations = Violations::default();
                for violation in rejection.violations {
                    violations.add("yaml", violation.description);
                }
                violations.into_rejection()
            }),
            Self::Message(message) => definition(*message).map_err(|rejection| {
                let mut violations = Violations::default();
                violations.take::<()>("definition", Err(rejection));
                violations.into_rejection()
            }),
        }
    }
}
