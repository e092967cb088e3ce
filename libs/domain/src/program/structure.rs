//! For how long a program has asked for and given the same.
//!
//! The structure is what decides about tiers and what they give. Names, descriptions, dates,
//! colours, notes and what is said for the linter alone are not part of it.

use jiff::civil::Date;

use crate::program::aggregate::Program;
use crate::program::definition::{Color, ProgramDefinition};
use crate::program::notes::without_notes;
use crate::time::add_months;

/// After so many months without a change a program is worth a second look.
pub const STALE_MONTHS: i32 = 36;

impl Program {
    /// The day since which the structure in force has been in force, where that was
    /// [`STALE_MONTHS`] ago or longer. An archived program is left alone.
    pub fn unchanged_since(&self, today: Date) -> Option<Date> {
        let in_force = self.in_force_on(today).filter(|_| !self.is_archived())?;
        let present = structure(&in_force.definition);
        let since = self
            .versions()
            .iter()
            .rev()
            .skip_while(|version| version.version > in_force.version)
            .take_while(|version| structure(&version.definition) == present)
            .last()?
            .effective_date;
        (add_months(since, STALE_MONTHS) <= today).then_some(since)
    }
}

/// The definition with nothing in it but what decides and what is given.
fn structure(definition: &ProgramDefinition) -> ProgramDefinition {
    let mut bare = without_notes(definition);
    bare.name.clear();
    bare.description.clear();
    bare.start_date = None;
    bare.end_date = None;
    bare.catalogue = None;
    bare.lint.clear();
    for track in &mut bare.tracks {
        track.name.clear();
        for tier in &mut track.tiers {
            tier.name.clear();
            tier.color = Color::default();
            tier.badge = None;
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::program::validate::tests::sample;
    use crate::program::{ApplyProgram, ProgramCommand, Publisher};
    use crate::test_support::{Given, given};

    fn publish(
        program: Given<Program>,
        day: Date,
        change: impl FnOnce(&mut ProgramDefinition),
    ) -> Given<Program> {
        let mut definition = sample();
        change(&mut definition);
        let apply = ProgramCommand::Apply(ApplyProgram {
            definition: Box::new(definition),
            effective_date: day,
            note: String::new(),
            transition: crate::program::Transition::Now,
            today: day,
            publisher: Publisher::default(),
            library: crate::benefit::BenefitLibrary::default(),
        });
        program.when(apply).accepted()
    }

    #[test]
    fn other_names_are_no_other_structure_and_another_policy_is() {
        let program = publish(given([]), date(2020, 1, 1), |_| {});
        let program = publish(program, date(2022, 1, 1), |one| {
            one.name = "Resale, again".to_owned();
            one.tracks[0].tiers[0].color = Color::Amber;
        });
        let since = |day| program.state.unchanged_since(day);
        assert_eq!(since(date(2019, 12, 31)), None);
        assert_eq!(since(date(2022, 12, 31)), None);
        assert_eq!(since(date(2023, 1, 1)), Some(date(2020, 1, 1)));
        let program = publish(program.clone(), date(2023, 6, 1), |one| {
            one.tracks[0].demotion.notice_days = 60;
        });
        let since = |day| program.state.unchanged_since(day);
        assert_eq!(since(date(2023, 5, 31)), Some(date(2020, 1, 1)));
        assert_eq!(since(date(2023, 6, 1)), None);
        assert_eq!(since(date(2026, 6, 1)), Some(date(2023, 6, 1)));
        let archived = program.when(ProgramCommand::Archive).accepted().state;
        assert_eq!(archived.unchanged_since(date(2026, 6, 1)), None);
    }
}
