//! What happens to an org. These types are the storage format: a shape once written stays readable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::OrgId;
use crate::money::Currency;

/// The facts about an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrgEvent {
    /// The org exists from now on.
    OrgCreated {
        /// Identifier of the org.
        org: OrgId,
        /// What a person reads.
        name: String,
        /// IANA name of the zone in which its business dates are counted.
        time_zone: String,
        /// Month in which its fiscal year begins, 1 to 12.
        fiscal_year_start: i8,
        /// The currency of its own books; the default of its programs.
        base_currency: Currency,
        /// Runs on real time or on a clock of its own.
        kind: OrgKind,
    },
    /// The name changed.
    OrgEdited {
        /// The new name.
        name: String,
    },
    /// The clock of a sandbox org moved forward. Timers between the two instants are due.
    ClockAdvanced {
        /// Where the clock stood.
        from: Timestamp,
        /// Where it stands now; later than `from`.
        to: Timestamp,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(OrgEvent, "tierline.program.v1", {
    OrgCreated = "1.0",
    OrgEdited = "1.0",
    ClockAdvanced = "1.0",
});

/// What time the org runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgKind {
    /// Real time.
    #[default]
    Ordinary,
    /// A clock of its own that is moved by commands and never goes back.
    Sandbox {
        /// Where the clock stands when the org is created.
        clock: Timestamp,
    },
}
