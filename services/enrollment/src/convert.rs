//! Enrollments between the contract and the domain.

use jiff::civil::Date;
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentState, TierPin, TrackFacts};
use tierline_domain::partner::PartnerStatus;
use tierline_domain::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use tierline_proto::enrollment::v1 as pb;
use tierline_rpc::convert::{Reader, common as c, fields as f};

/// An enrollment that is asked for, by a request or by a row.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Absent: made from partner, program and track.
    pub enrollment: Option<EnrollmentId>,
    pub partner: PartnerId,
    pub program: ProgramId,
    /// Absent: the only one of the program.
    pub track: Option<TrackId>,
    /// Absent: today.
    pub start_date: Option<Date>,
    pub end_date: Option<Date>,
    pub placed_tier: Option<TierId>,
    /// Absent: the primary contact of the partner.
    pub primary_contact: Option<String>,
}

impl Wish {
    /// The command, with what was looked up.
    pub(crate) fn command(
        self,
        enrollment: EnrollmentId,
        track: TrackId,
        partner_status: PartnerStatus,
        track_facts: TrackFacts,
        today: Date,
    ) -> Enroll {
        Enroll {
            enrollment,
            partner: self.partner,
            program: self.program,
            track,
            start_date: self.start_date.unwrap_or(today),
            end_date: self.end_date,
            placed_tier: self.placed_tier,
            primary_contact: self.primary_contact,
            today,
            partner_status,
            track_facts,
        }
    }
}

/// What a request asks for.
pub(crate) fn request(r: &mut Reader, request: &pb::EnrollPartnerRequest) -> Wish {
    let request = request.clone();
    Wish {
        enrollment: f::optional_id(
            r,
            "enrollment_id",
            request.enrollment_id,
            EnrollmentId::parse,
        ),
        partner: f::id(r, "partner_id", PartnerId::parse(request.partner_id)),
        program: f::id(r, "program_id", ProgramId::parse(request.program_id)),
        track: f::optional_id(r, "track_id", request.track_id, TrackId::parse),
        start_date: f::optional_date(r, "start_date", &request.start_date),
        end_date: f::optional_date(r, "end_date", &request.end_date),
        placed_tier: f::optional_id(r, "placed_tier_id", request.placed_tier_id, TierId::parse),
        primary_contact: c::optional_text(request.primary_contact_id),
    }
}

/// What a row asks for.
pub(crate) fn row(r: &mut Reader, row: pb::EnrollmentRow) -> Wish {
    Wish {
        enrollment: f::optional_id(r, "enrollment_id", row.enrollment_id, EnrollmentId::parse),
        partner: f::id(r, "partner_id", PartnerId::parse(row.partner_id)),
        program: f::id(r, "program_id", ProgramId::parse(row.program_id)),
        track: f::optional_id(r, "track_id", row.track_id, TrackId::parse),
        start_date: f::optional_date(r, "start_date", &row.start_date),
        end_date: f::optional_date(r, "end_date", &row.end_date),
        placed_tier: f::optional_id(r, "placed_tier_id", row.placed_tier_id, TierId::parse),
        primary_contact: None,
    }
}

/// The path in a request, of a path in the domain.
pub(crate) fn in_request(field: &str) -> String {
    match field {
        "placed_tier" => "placed_tier_id",
        "primary_contact" => "primary_contact_id",
        "tier" => "tier_id",
        "until" => "until_date",
        other => other,
    }
    .to_owned()
}

/// An enrollment as the contract writes it.
pub(crate) fn message(id: &str, enrollment: &Enrollment, version: u64) -> pb::Enrollment {
    let etag = tierline_rpc::command::etag(version);
    let enrollment_id = id.to_owned();
    let Some(enrolled) = enrollment.enrolled() else {
        return pb::Enrollment {
            enrollment_id,
            etag,
            ..pb::Enrollment::default()
        };
    };
    // Once it has ended, its last day is the day on which it ended.
    let end = enrollment.ended_date().or(enrollment.end_date());
    let placed = enrolled.placed_tier.as_ref();
    pb::Enrollment {
        enrollment_id,
        partner_id: enrolled.partner.to_string(),
        program_id: enrolled.program.to_string(),
        track_id: enrolled.track.to_string(),
        state: state_message(enrollment.state()).into(),
        start_date: enrolled.start_date.to_string(),
        end_date: c::date_text(end),
        placed_tier_id: placed.map(ToString::to_string).unwrap_or_default(),
        pin: enrollment.pin().map(pin_message),
        primary_contact_id: f::text(enrolled.primary_contact.as_deref()),
        termination_reason: enrollment.termination_reason().to_owned(),
        backdated: enrolled.backdated,
        etag,
    }
}

fn state_message(state: EnrollmentState) -> pb::EnrollmentState {
    match state {
        EnrollmentState::Active => pb::EnrollmentState::Active,
        EnrollmentState::Terminated => pb::EnrollmentState::Terminated,
        EnrollmentState::Expired => pb::EnrollmentState::Expired,
    }
}

fn pin_message(pin: &TierPin) -> pb::Pin {
    pb::Pin {
        tier_id: pin.tier.to_string(),
        reason: pin.reason.clone(),
        until_date: c::date_text(pin.until),
    }
}
