//! What partners do: deals, certifications and other activities, and the facts they become.

pub mod certification;
pub mod deal;
pub mod record;

pub use certification::{
    CertificationCommand, CertificationEvent, CertificationRecord,
    DescribeCertification, Holder,
};
pub use deal::{
    Customer, DealChanges, DealCommand, DealEvent, DealRecord, DealSource, DealState,
    RecordDeal, RegisterDeal, ReverseDeal,
};
pub use record::{
    ActivityChanges, ActivityRecord, RecordActivity, RecordCommand, RecordEvent,
};
