//! What may be asked of a form.

use crate::application::form::content::FormContent;

/// The commands of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormCommand {
    /// Keep a draft of the next version; creates the form where it is missing. The same content as
    /// the draft, or, without a draft, as the newest version: nothing to do. A draft may be
    /// incomplete; only its identifier and its size are checked.
    Define {
        /// The whole draft.
        content: Box<FormContent>,
    },
    /// Publish the draft as the next version. The same content as the newest one: nothing to do.
    Publish,
}
