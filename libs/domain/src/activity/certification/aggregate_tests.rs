use jiff::civil::date;

use super::*;
use crate::activity::certification::events::Holder;
use crate::ids::CertificationId;
use crate::rules::Value;
use crate::test_support::{Given, given};

const AWARDED: Date = date(2025, 3, 1);
const EXPIRES: Date = date(2026, 2, 28);

fn describe() -> DescribeCertification {
    DescribeCertification {
        certification: CertificationId::parse("c1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        record: CertificationRecord {
            external_id: Some("LMS-7".to_owned()),
            holder: Holder {
                person: "p-17".to_owned(),
                name: Some("Ann Lee".to_owned()),
                email: Some("Ann@Acme.example".to_owned()),
            },
            name: "Cloud Architect".to_owned(),
            level: Some("advanced".to_owned()),
            awarded_date: AWARDED,
            expires_date: Some(EXPIRES),
            revoked_date: None,
            revoked_reason: String::new(),
            left_date: None,
            attributes: [("score".to_owned(), Value::Number(93.into()))].into(),
        },
    }
}

fn award() -> CertificationCommand {
    CertificationCommand::Award(Box::new(describe()))
}

fn import(change: impl FnOnce(&mut DescribeCertification)) -> CertificationCommand {
    let mut command = describe();
    change(&mut command);
    CertificationCommand::Record(Box::new(command))
}

fn awarded() -> Given<Certification> {
    given::<Certification>([]).when(award()).accepted()
}

fn renew(renewed_date: Date, expires_date: Option<Date>) -> CertificationCommand {
    CertificationCommand::Renew {
        renewed_date,
        expires_date,
    }
}

fn revoke(date: Date) -> CertificationCommand {
    CertificationCommand::Revoke {
        date,
        reason: "cheated".to_owned(),
    }
}

fn left(date: Date) -> CertificationCommand {
    CertificationCommand::HolderLeft { date }
}

#[test]
fn a_certification_is_valid_from_its_award_to_its_expiry() {
    let certification = awarded().state;
    assert!(!certification.valid_on(date(2025, 2, 28)));
    assert!(certification.valid_on(AWARDED));
    assert!(certification.valid_on(EXPIRES));
    assert!(!certification.valid_on(date(2026, 3, 1)));
    let email = certification.record().unwrap().holder.email.as_deref();
    assert_eq!(email, Some("ann@acme.example"));
    assert_eq!(certification.claims()[0].key, "LMS-7");
}

#[test]
fn a_certification_is_awarded_once() {
    awarded().when(award()).refused("CERTIFICATION_EXISTS");
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let mut wrong = describe();
    wrong.record.holder.person = String::new();
    wrong.record.holder.email = Some("nobody".to_owned());
    wrong.record.name = String::new();
    wrong.record.expires_date = Some(date(2025, 2, 28));
    wrong.record.revoked_date = Some(AWARDED);
    wrong.record.attributes = [("person".to_owned(), Value::Flag(true))].into();
    given::<Certification>([])
        .when(CertificationCommand::Award(Box::new(wrong)))
        .invalid(&[
            "record.revoked_date",
            "record.holder.person",
            "record.holder.email",
            "record.name",
            "record.attributes.person",
            "record.expires_date",
        ]);
}

#[test]
fn a_renewal_moves_the_last_day() {
    let certification = awarded()
        .when(renew(date(2026, 2, 1), Some(date(2027, 2, 28))))
        .then([CertificationEvent::CertificationRenewed {
            renewed_date: date(2026, 2, 1),
            expires_date: Some(date(2027, 2, 28)),
        }])
        .when(renew(date(2026, 2, 1), Some(date(2027, 2, 28))))
        .nothing();
    assert!(certification.state.valid_on(date(2027, 2, 28)));
    let forever = certification.when(renew(date(2026, 2, 1), None)).accepted();
    assert!(forever.state.valid_on(date(2100, 1, 1)));
    awarded()
        .when(renew(date(2025, 2, 1), None))
        .invalid(&["renewed_date"]);
    awarded()
        .when(renew(date(2026, 2, 1), Some(date(2026, 1, 31))))
        .invalid(&["expires_date"]);
}

#[test]
fn a_revoked_certification_counts_on_no_date_and_is_not_renewed() {
    let certification = awarded()
        .when(revoke(date(2025, 6, 1)))
        .accepted()
        .when(revoke(date(2025, 6, 1)))
        .nothing();
    assert!(!certification.state.valid_on(date(2025, 4, 1)));
    certification
        .when(renew(date(2026, 2, 1), None))
        .refused("CERTIFICATION_REVOKED");
    awarded().when(revoke(date(2025, 2, 1))).invalid(&["date"]);
}

#[test]
fn a_person_who_leaves_takes_the_certification_along_from_that_day() {
    let certification = awarded()
        .when(left(date(2025, 9, 1)))
        .accepted()
        .when(left(date(2025, 9, 1)))
        .nothing();
    assert!(certification.state.valid_on(date(2025, 8, 31)));
    assert!(!certification.state.valid_on(date(2025, 9, 1)));
    certification
        .clone()
        .when(left(date(2025, 9, 2)))
        .refused("CERTIFICATION_HOLDER_LEFT");
    certification
        .when(renew(date(2026, 2, 1), None))
        .refused("CERTIFICATION_HOLDER_LEFT");
}

#[test]
fn an_imported_certification_is_written_only_when_it_differs() {
    let known = given::<Certification>([]).when(import(|_| ())).accepted();
    let known = known.when(import(|_| ())).nothing();
    let renewed = known
        .when(import(|it| it.record.expires_date = None))
        .accepted();
    assert!(renewed.state.valid_on(date(2100, 1, 1)));
    awarded().when(import(|_| ())).nothing();
    renewed
        .when(import(|it| it.partner = PartnerId::parse("other").unwrap()))
        .refused("CERTIFICATION_OF_ANOTHER_PARTNER");
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    for command in [renew(AWARDED, None), revoke(AWARDED), left(AWARDED)] {
        given::<Certification>([])
            .when(command)
            .refused("CERTIFICATION_NOT_FOUND");
    }
}

pub(crate) mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::run_and_replay;
    use crate::time::add_days;

    fn day() -> impl Strategy<Value = Date> {
        (-5..60_i32).prop_map(|days| add_days(AWARDED, days))
    }

    pub(crate) fn command() -> impl Strategy<Value = CertificationCommand> {
        prop_oneof![
            3 => Just(award()),
            2 => (prop::option::of(day()), prop::option::of(day()), prop::option::of(day()))
                .prop_map(|(expires, revoked, left)| import(|it| {
                    it.record.expires_date = expires;
                    it.record.revoked_date = revoked;
                    it.record.left_date = left;
                })),
            2 => (day(), prop::option::of(day())).prop_map(|(date, last)| renew(date, last)),
            1 => day().prop_map(revoke),
            1 => day().prop_map(left),
        ]
    }

    proptest! {
        #[test]
        fn any_commands_leave_a_certification_that_replays(
            commands in prop::collection::vec(command(), 0..20)
        ) {
            run_and_replay::<Certification>(commands);
        }
    }
}
