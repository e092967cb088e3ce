//! What partners do: deals, certifications and other activities, and the facts they become.

pub mod certification;
pub mod deal;
pub mod facts;
pub mod record;

pub use certification::{
    Certification, CertificationCommand, CertificationEvent, CertificationRecord,
    DescribeCertification, Holder,
};
pub use deal::{
    Customer, Deal, DealChanges, DealCommand, DealEvent, DealRecord, DealSource, DealState,
    RecordDeal, RegisterDeal, ReverseDeal,
};
pub use facts::{ActivityEvent, apply_event};
pub use record::{
    ActivityChanges, ActivityRecord, Record, RecordActivity, RecordCommand, RecordEvent,
};
