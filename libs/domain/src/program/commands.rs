//! What may be asked of a program.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::benefit::BenefitLibrary;
use crate::ids::ProgramId;
use crate::money::Currency;
use crate::program::definition::ProgramDefinition;
use crate::program::draft::DraftEdit;
use crate::program::transition::Transition;

/// The commands of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramCommand {
    /// Create an empty program.
    Create {
        /// Identifier of the program: its slug.
        program: ProgramId,
        /// What a person reads.
        name: String,
    },
    /// Keep a draft of the next version. The same draft again: nothing to do. A draft may be
    /// incomplete; only its size is checked.
    SaveDraft {
        /// The whole draft.
        definition: Box<ProgramDefinition>,
    },
    /// Change a part of the draft. Where there is none yet, it begins as the newest published
    /// version, or empty. A change that changes nothing: nothing to do.
    EditDraft {
        /// The change.
        edit: Box<DraftEdit>,
        /// The currency of a draft that begins empty.
        currency: Currency,
    },
    /// Throw the draft away. Without a draft: nothing to do.
    DiscardDraft,
    /// Create a program whose draft is a copy of another one's content.
    Copy {
        /// Identifier of the new program.
        program: ProgramId,
        /// What a person reads.
        name: String,
        /// What is copied; identifier and name in it are replaced.
        definition: Box<ProgramDefinition>,
    },
    /// Publish the draft.
    Publish(PublishDraft),
    /// Create the program where it is missing and publish a definition, all in one. The same
    /// definition as the latest published version: nothing to do.
    Apply(ApplyProgram),
    /// Take no more versions and no more enrollments.
    Archive,
    /// Take versions and enrollments again. Not archived: nothing to do.
    Restore,
}

/// Who publishes, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publisher {
    /// The actor, such as `user:ada`; empty: not known.
    pub author: String,
    /// The instant by the clock of the org; absent: not known.
    pub time: Option<Timestamp>,
}

/// Publish the draft as the next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishDraft {
    /// The first business date on which it is in force. The first version may begin in the past,
    /// so that history can be assessed; later ones begin today at the earliest, and not before
    /// the version that they replace.
    pub effective_date: Date,
    /// Why, in the author's words; may be empty.
    pub note: String,
    /// From when on tiers may be lost under it.
    pub transition: Transition,
    /// The business date in the org.
    pub today: Date,
    /// Who publishes, and when.
    pub publisher: Publisher,
    /// The benefits that the definition names, as the library has them.
    pub library: BenefitLibrary,
}

/// Publish a definition as the next version, creating the program where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyProgram {
    /// The whole content. Its slug is the identifier of the program.
    pub definition: Box<ProgramDefinition>,
    /// The first business date on which it is in force; see [`PublishDraft::effective_date`].
    pub effective_date: Date,
    /// Why, in the author's words; may be empty.
    pub note: String,
    /// From when on tiers may be lost under it.
    pub transition: Transition,
    /// The business date in the org.
    pub today: Date,
    /// Who publishes, and when.
    pub publisher: Publisher,
    /// The benefits that the definition names, as the library has them.
    pub library: BenefitLibrary,
}
