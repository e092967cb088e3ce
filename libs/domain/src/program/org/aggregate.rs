//! The org: its state and its decisions.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{OrgId, check_label};
use crate::limits;
use crate::money::Currency;
use crate::program::org::commands::{ClockTime, CreateOrg, OrgCommand};
use crate::program::org::events::{OrgEvent, OrgKind};
use crate::rejection::{Kind, Rejection, Violations};
use crate::time::{Calendar, check_date};

/// An org, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    org: Option<OrgId>,
    name: String,
    calendar: Calendar,
    base_currency: Option<Currency>,
    /// Where the clock of a sandbox org stands.
    clock: Option<Timestamp>,
    unreadable: bool,
}

crate::aggregate!(Org, "Org");

impl Org {
    /// Identifier, once the org exists.
    pub fn id(&self) -> Option<&OrgId> {
        self.org.as_ref()
    }

    /// What a person reads.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the org counts time.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The currency of its own books, once the org exists.
    pub fn base_currency(&self) -> Option<Currency> {
        self.base_currency
    }

    /// True when the org runs on a clock of its own.
    pub fn is_sandbox(&self) -> bool {
        self.clock.is_some()
    }

    /// The time in the org, when the real time is `real_now`.
    pub fn now(&self, real_now: Timestamp) -> Timestamp {
        self.clock.unwrap_or(real_now)
    }

    /// The business date in the org, when the real time is `real_now`.
    pub fn today(&self, real_now: Timestamp) -> Date {
        self.calendar.date_of(self.now(real_now))
    }

    fn create(&self, create: CreateOrg) -> Result<Vec<OrgEvent>, Rejection> {
        if self.org.is_some() {
            return Err(Rejection::already_exists("org", &create.org));
        }
        let mut v = Violations::default();
        v.take("", check_label("org_id", create.org.as_str()));
        limits::check_name(&mut v, "name", &create.name, limits::NAME);
        let calendar = v.take(
            "",
            Calendar::new(&create.time_zone, create.fiscal_year_start),
        );
        let kind = match (create.sandbox_clock, calendar) {
            (None, _) => OrgKind::Ordinary,
            (Some(at), calendar) => {
                let calendar = calendar.unwrap_or_default();
                let clock = instant_of(&calendar, "sandbox_clock", at);
                OrgKind::Sandbox {
                    clock: v.take("", clock).unwrap_or_default(),
                }
            }
        };
        v.check()?;
        Ok(vec![OrgEvent::OrgCreated {
            org: create.org,
            name: create.name,
            time_zone: create.time_zone,
            fiscal_year_start: create.fiscal_year_start,
            base_currency: create.base_currency,
            kind,
        }])
    }

    fn edit(&self, name: String) -> Result<Vec<OrgEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_name(&mut v, "name", &name, limits::NAME);
        v.check()?;
        if name == self.name {
            return Ok(Vec::new());
        }
        Ok(vec![OrgEvent::OrgEdited { name }])
    }

    fn advance(&self, to: ClockTime) -> Result<Vec<OrgEvent>, Rejection> {
        let Some(from) = self.clock else {
            return Err(Rejection::precondition(
                "NOT_A_SANDBOX",
                "this org runs on real time; only the clock of a sandbox org can be moved",
            ));
        };
        let target = instant_of(&self.calendar, "to", to)?;
        let within_today = matches!(to, ClockTime::Date(day) if day == self.calendar.date_of(from));
        if target == from || within_today {
            return Ok(Vec::new());
        }
        if target < from {
            return Err(Rejection::precondition(
                "CLOCK_RUNS_FORWARD",
                format!("the clock stands at {from} and cannot go back to {target}"),
            ));
        }
        Ok(vec![OrgEvent::ClockAdvanced { from, to: target }])
    }
}

fn instant_of(calendar: &Calendar, field: &str, at: ClockTime) -> Result<Timestamp, Rejection> {
    match at {
        ClockTime::Date(day) => Ok(calendar.start_of(check_date(field, day)?)),
        ClockTime::Instant(instant) => {
            check_date(field, calendar.date_of(instant))?;
            Ok(instant)
        }
    }
}

impl Decide for Org {
    type Command = OrgCommand;
    type Event = OrgEvent;

    fn decide(&self, command: OrgCommand) -> Result<Vec<OrgEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        let command = match command {
            OrgCommand::Create(create) => return self.create(create),
            other => other,
        };
        if self.org.is_none() {
            return Err(Rejection::new(
                Kind::NotFound,
                "ORG_NOT_FOUND",
                "the org does not exist",
            ));
        }
        match command {
            OrgCommand::Create(create) => self.create(create),
            OrgCommand::Edit { name } => self.edit(name),
            OrgCommand::AdvanceClock { to } => self.advance(to),
        }
    }

    fn evolve(&mut self, event: &OrgEvent) {
        match event {
            OrgEvent::OrgCreated {
                org,
                name,
                time_zone,
                fiscal_year_start,
                base_currency,
                kind,
            } => {
                self.org = Some(org.clone());
                self.name.clone_from(name);
                self.calendar = Calendar {
                    time_zone: time_zone.clone(),
                    fiscal_year_start: *fiscal_year_start,
                    ..Calendar::default()
                };
                self.base_currency = Some(*base_currency);
                self.clock = match kind {
                    OrgKind::Ordinary => None,
                    OrgKind::Sandbox { clock } => Some(*clock),
                };
            }
            OrgEvent::OrgEdited { name } => self.name.clone_from(name),
            OrgEvent::ClockAdvanced { to, .. } => self.clock = Some(*to),
            OrgEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Org {
    fn routing(&self) -> Option<Routing> {
        self.org.as_ref().map(|_| Routing::EveryPartition)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::test_support::given;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn create(sandbox_clock: Option<ClockTime>) -> CreateOrg {
        CreateOrg {
            org: OrgId::parse("acme").unwrap(),
            name: "Acme".to_owned(),
            time_zone: "Europe/Vienna".to_owned(),
            fiscal_year_start: 2,
            base_currency: Currency::EUR,
            sandbox_clock,
        }
    }

    fn sandbox() -> Org {
        given::<Org>([])
            .when(OrgCommand::Create(create(Some(ClockTime::Date(date(
                2014, 1, 1,
            ))))))
            .accepted()
            .state
    }

    fn advance(to: &str) -> OrgCommand {
        OrgCommand::AdvanceClock {
            to: ClockTime::Instant(instant(to)),
        }
    }

    #[test]
    fn an_ordinary_org_runs_on_real_time_in_its_own_zone() {
        let org = given::<Org>([])
            .when(OrgCommand::Create(create(None)))
            .accepted()
            .state;
        let now = instant("2026-03-31T22:30:00Z");
        assert_eq!(org.now(now), now);
        assert_eq!(org.today(now), date(2026, 4, 1));
        assert_eq!(org.calendar().fiscal_year_start, 2);
        assert_eq!(org.routing(), Some(Routing::EveryPartition));
    }

    #[test]
    fn an_org_cannot_be_created_twice() {
        given::<Org>([])
            .when(OrgCommand::Create(create(None)))
            .accepted()
            .when(OrgCommand::Create(create(None)))
            .refused("ORG_EXISTS");
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wrong = CreateOrg {
            name: String::new(),
            time_zone: "Mars/Olympus".to_owned(),
            sandbox_clock: Some(ClockTime::Date(date(1492, 10, 12))),
            ..create(None)
        };
        given::<Org>([]).when(OrgCommand::Create(wrong)).invalid(&[
            "name",
            "time_zone",
            "sandbox_clock",
        ]);
    }

    #[test]
    fn what_does_not_exist_cannot_be_edited() {
        let edit = OrgCommand::Edit {
            name: "x".to_owned(),
        };
        given::<Org>([]).when(edit).refused("ORG_NOT_FOUND");
    }

    #[test]
    fn the_same_name_again_changes_nothing() {
        let edit = |name: &str| OrgCommand::Edit {
            name: name.to_owned(),
        };
        let org = crate::test_support::Given { state: sandbox() };
        org.when(edit("Acme"))
            .nothing()
            .when(edit("Acme Corp"))
            .then([OrgEvent::OrgEdited {
                name: "Acme Corp".to_owned(),
            }]);
    }

    #[test]
    fn a_sandbox_clock_moves_forward_and_never_back() {
        let org = crate::test_support::Given { state: sandbox() };
        let from = instant("2013-12-31T23:00:00Z");
        let to = instant("2014-02-01T10:00:00Z");
        let org = org
            .when(advance("2014-02-01T10:00:00Z"))
            .then([OrgEvent::ClockAdvanced { from, to }]);
        assert_eq!(
            org.state.today(instant("2026-01-01T00:00:00Z")),
            date(2014, 2, 1)
        );
        org.when(advance("2014-02-01T10:00:00Z"))
            .nothing()
            .when(advance("2014-02-01T09:59:59Z"))
            .refused("CLOCK_RUNS_FORWARD");
    }

    #[test]
    fn moving_to_the_date_where_the_clock_stands_changes_nothing() {
        let org = crate::test_support::Given { state: sandbox() };
        let to = |day| OrgCommand::AdvanceClock {
            to: ClockTime::Date(day),
        };
        org.when(advance("2014-02-01T10:00:00Z"))
            .accepted()
            .when(to(date(2014, 2, 1)))
            .nothing()
            .when(to(date(2014, 1, 31)))
            .refused("CLOCK_RUNS_FORWARD");
    }

    #[test]
    fn the_clock_of_an_ordinary_org_cannot_be_moved() {
        given::<Org>([])
            .when(OrgCommand::Create(create(None)))
            .accepted()
            .when(advance("2030-01-01T00:00:00Z"))
            .refused("NOT_A_SANDBOX");
    }

    #[test]
    fn an_unknown_event_stops_decisions_but_not_the_fold() {
        let mut org = sandbox();
        org.evolve(&OrgEvent::Unknown {
            event_type: "tierline.program.v1.OrgMerged".to_owned(),
            payload: serde_json::Value::Null,
        });
        crate::test_support::Given { state: org }
            .when(advance("2030-01-01T00:00:00Z"))
            .refused("UNKNOWN_EVENT");
    }

    proptest::proptest! {
        #[test]
        fn any_commands_leave_an_org_that_replays_and_whose_clock_never_went_back(
            steps in proptest::collection::vec((0..4_u8, -3..40_i32), 0..20)
        ) {
            let commands = steps.into_iter().map(|(kind, days)| {
                let day = crate::time::add_days(date(2014, 1, 1), days);
                match kind {
                    0 => OrgCommand::Create(create(Some(ClockTime::Date(day)))),
                    1 => OrgCommand::Edit { name: "x".repeat(days.unsigned_abs() as usize) },
                    2 => OrgCommand::AdvanceClock { to: ClockTime::Date(day) },
                    _ => OrgCommand::AdvanceClock {
                        to: ClockTime::Instant(Calendar::default().start_of(day)),
                    },
                }
            });
            let (_, events) = crate::test_support::run_and_replay::<Org>(commands);
            for event in events {
                if let OrgEvent::ClockAdvanced { from, to } = event {
                    proptest::prop_assert!(from < to);
                }
            }
        }
    }
}
