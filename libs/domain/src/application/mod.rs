//! Applications to become a partner: the forms that an org publishes, and what is submitted
//! through them.

pub mod form;
pub mod submission;

pub use form::{
    Agreement, Choice, FieldType, Form, FormCommand, FormContent, FormEvent, FormField,
    FormSection, form_from_yaml, form_to_yaml,
};
pub use submission::{
    AcceptedAgreement, Decision, FilledIn, Received, Review, Submission, SubmissionCommand,
    SubmissionEvent, SubmissionState, Submit, filled_in_from_yaml,
};
