//! Any event of the log, whatever its aggregate: what consumers of the whole log work with.

use crate::access::KeyringEvent;
use crate::activity::certification::CertificationEvent;
use crate::activity::deal::DealEvent;
use crate::activity::facts::ActivityEvent;
use crate::activity::record::RecordEvent;
use crate::application::{FormEvent, SubmissionEvent};
use crate::enrollment::EnrollmentEvent;
use crate::partner::PartnerEvent;
use crate::program::ProgramEvent;
use crate::program::org::OrgEvent;
use crate::program::rates::RatesEvent;
use crate::segment::SegmentEvent;
use crate::standing::StandingEvent;
use crate::surroundings::SurroundingsEvent;

/// An event of one of the aggregates.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "short-lived: decoded, applied, dropped"
)]
pub enum AnyEvent {
    /// About an org.
    Org(OrgEvent),
    /// About the API keys of an org.
    Keyring(KeyringEvent),
    /// About a program.
    Program(ProgramEvent),
    /// About exchange rates.
    Rates(RatesEvent),
    /// About a partner.
    Partner(PartnerEvent),
    /// About an enrollment.
    Enrollment(EnrollmentEvent),
    /// About a deal.
    Deal(DealEvent),
    /// About a certification.
    Certification(CertificationEvent),
    /// About another activity.
    Record(RecordEvent),
    /// About a standing.
    Standing(StandingEvent),
    /// About the surroundings of an enrollment.
    Surroundings(SurroundingsEvent),
    /// About a form.
    Form(FormEvent),
    /// About a submission.
    Submission(SubmissionEvent),
    /// About a segment.
    Segment(SegmentEvent),
    /// Of an aggregate type that this release does not know.
    Foreign {
        /// The stored aggregate type.
        aggregate_type: String,
        /// The stored event type.
        event_type: String,
    },
}

/// Reads the stored events of one aggregate type; implemented where stored bytes are handled.
pub trait Decoder {
    /// Why an event could not be read.
    type Error;

    /// Reads the event as one of `E`.
    fn decode<E: crate::StoredEvent>(&self) -> Result<E, Self::Error>;
}

impl AnyEvent {
    /// Reads an event of the given aggregate type.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn read<D: Decoder>(
        aggregate_type: &str,
        event_type: &str,
        from: &D,
    ) -> Result<Self, D::Error> {
        Ok(match aggregate_type {
            "Org" => Self::Org(from.decode()?),
            "Keyring" => Self::Keyring(from.decode()?),
            "Program" => Self::Program(from.decode()?),
            "Rates" => Self::Rates(from.decode()?),
            "Partner" => Self::Partner(from.decode()?),
            "Enrollment" => Self::Enrollment(from.decode()?),
            "Deal" => Self::Deal(from.decode()?),
            "Certification" => Self::Certification(from.decode()?),
            "Record" => Self::Record(from.decode()?),
            "Standing" => Self::Standing(from.decode()?),
            "Surroundings" => Self::Surroundings(from.decode()?),
            "Form" => Self::Form(from.decode()?),
            "Submission" => Self::Submission(from.decode()?),
            "Segment" => Self::Segment(from.decode()?),
            _ => Self::Foreign {
                aggregate_type: aggregate_type.to_owned(),
                event_type: event_type.to_owned(),
            },
        })
    }

    /// The event as one that changes a fact, with its aggregate type.
    pub fn activity(&self) -> Option<(&'static str, ActivityEvent<'_>)> {
        match self {
            Self::Deal(event) => Some(("Deal", ActivityEvent::Deal(event))),
            Self::Certification(event) => {
                Some(("Certification", ActivityEvent::Certification(event)))
            }
            Self::Record(event) => Some(("Record", ActivityEvent::Record(event))),
            _ => None,
        }
    }

    /// True for an event of a type that this release does not know.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Org(event) => matches!(event, OrgEvent::Unknown { .. }),
            Self::Keyring(event) => matches!(event, KeyringEvent::Unknown { .. }),
            Self::Program(event) => matches!(event, ProgramEvent::Unknown { .. }),
            Self::Rates(event) => matches!(event, RatesEvent::Unknown { .. }),
            Self::Partner(event) => matches!(event, PartnerEvent::Unknown { .. }),
            Self::Enrollment(event) => matches!(event, EnrollmentEvent::Unknown { .. }),
            Self::Deal(event) => matches!(event, DealEvent::Unknown { .. }),
            Self::Certification(event) => matches!(event, CertificationEvent::Unknown { .. }),
            Self::Record(event) => matches!(event, RecordEvent::Unknown { .. }),
            Self::Standing(event) => matches!(event, StandingEvent::Unknown { .. }),
            Self::Surroundings(event) => matches!(event, SurroundingsEvent::Unknown { .. }),
            Self::Form(event) => matches!(event, FormEvent::Unknown { .. }),
            Self::Submission(event) => matches!(event, SubmissionEvent::Unknown { .. }),
            Self::Segment(event) => matches!(event, SegmentEvent::Unknown { .. }),
            Self::Foreign { .. } => true,
        }
    }
}
