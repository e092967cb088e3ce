//! What the decision to publish a version knows of the benefits library.

use std::collections::{BTreeMap, BTreeSet};

use crate::benefit::aggregate::Benefit;
use crate::benefit::value::{BenefitType, BenefitValue};
use crate::ids::BenefitId;
use crate::program::definition::{Benefit as Given, ProgramDefinition};
use crate::rejection::{Kind, Rejection, Violations};

/// The benefits that a definition names, as they were found in the library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BenefitLibrary(BTreeMap<BenefitId, Option<Known>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    benefit_type: BenefitType,
    archived: bool,
}

impl BenefitLibrary {
    /// Notes what was found under an identifier; a benefit that does not exist is noted as such.
    pub fn note(&mut self, id: BenefitId, found: &Benefit) {
        let known = found.content().map(|content| Known {
            benefit_type: content.benefit_type,
            archived: found.is_archived(),
        });
        self.0.insert(id, known);
    }

    /// Refuses what was not looked up: the draft changed between the look-up and the decision.
    ///
    /// # Errors
    /// `CONCURRENT_CHANGE`.
    pub fn must_cover(&self, definition: &ProgramDefinition) -> Result<(), Rejection> {
        if benefits_of(definition)
            .iter()
            .all(|id| self.0.contains_key(id))
        {
            return Ok(());
        }
        Err(Rejection::new(
            Kind::Conflict,
            "CONCURRENT_CHANGE",
            "the draft was changed meanwhile; try again",
        ))
    }

    /// Checks every benefit of the definition that was looked up: it exists, is in use, and its
    /// value is one of its type.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming every violated path, such as
    /// `tracks[0].tiers[2].benefits[1].value`.
    pub fn check(&self, definition: &ProgramDefinition) -> Result<(), Rejection> {
        let mut v = Violations::default();
        for (at, track) in definition.tracks.iter().enumerate() {
            for (rank, tier) in track.tiers.iter().enumerate() {
                for (place, given) in tier.benefits.iter().enumerate() {
                    let path = format!("tracks[{at}].tiers[{rank}].benefits[{place}]");
                    self.check_one(&mut v, &path, given);
                }
            }
        }
        v.check()
    }

    fn check_one(&self, v: &mut Violations, path: &str, given: &Given) {
        let Some((id, known)) = given
            .id
            .as_ref()
            .and_then(|id| Some((id, self.0.get(id)?.as_ref())))
        else {
            return;
        };
        match known {
            None => v.add(
                format!("{path}.id"),
                format!("\"{id}\" is no benefit of the library; create it first"),
            ),
            Some(known) if known.archived => v.add(
                format!("{path}.id"),
                format!("\"{id}\" is archived; restore it, or leave it away"),
            ),
            Some(known) => {
                let value = BenefitValue::parse(known.benefit_type, &given.value);
                v.take(&format!("{path}.value"), value);
            }
        }
    }
}

/// The benefits of the library that a definition names.
pub fn benefits_of(definition: &ProgramDefinition) -> BTreeSet<&BenefitId> {
    let tiers = definition.tracks.iter().flat_map(|track| &track.tiers);
    let given = tiers.flat_map(|tier| &tier.benefits);
    given.filter_map(|benefit| benefit.id.as_ref()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::benefit::{BenefitCommand, BenefitContent, BenefitEvent, CreateBenefit};
    use crate::limits;
    use crate::program::validate::tests::sample;
    use crate::program::{
        ApplyProgram, Program, ProgramCommand, PublishDraft, Publisher, Transition, validate,
    };
    use crate::test_support::given;

    fn id(text: &str) -> BenefitId {
        BenefitId::parse(text).unwrap()
    }

    fn benefit(id: &BenefitId, benefit_type: BenefitType) -> Benefit {
        given::<Benefit>([BenefitEvent::BenefitCreated {
            benefit: id.clone(),
            content: Box::new(BenefitContent {
                name: id.to_string(),
                description: String::new(),
                benefit_type,
            }),
        }])
        .state
    }

    /// A library of two benefits in use, one that is archived, and one that does not exist.
    fn library() -> BenefitLibrary {
        let mut library = BenefitLibrary::default();
        for (name, benefit_type) in [
            ("protection", BenefitType::Days),
            ("fund", BenefitType::Amount),
        ] {
            library.note(id(name), &benefit(&id(name), benefit_type));
        }
        let old = given::<Benefit>([])
            .when(BenefitCommand::Create(Box::new(CreateBenefit {
                benefit: id("old"),
                content: benefit(&id("old"), BenefitType::Text)
                    .content()
                    .unwrap()
                    .clone(),
            })))
            .accepted()
            .when(BenefitCommand::Archive)
            .accepted()
            .state;
        library.note(id("old"), &old);
        library.note(id("none"), &Benefit::default());
        library
    }

    fn from_library(name: &str, value: &str) -> Given {
        Given {
            id: Some(id(name)),
            name: String::new(),
            value: value.to_owned(),
            earned_by: None,
        }
    }

    fn giving(benefits: Vec<Given>) -> Box<ProgramDefinition> {
        let mut definition = Box::new(sample());
        definition.tracks[0].tiers[0].benefits = benefits;
        definition
    }

    fn apply(benefits: Vec<Given>, library: BenefitLibrary) -> ProgramCommand {
        ProgramCommand::Apply(ApplyProgram {
            definition: giving(benefits),
            effective_date: date(2026, 3, 1),
            note: String::new(),
            transition: Transition::Now,
            today: date(2026, 3, 1),
            publisher: Publisher::default(),
            library,
        })
    }

    #[test]
    fn a_version_gives_benefits_of_the_library_with_values_of_their_types() {
        let benefits = vec![
            from_library("protection", "60 days"),
            from_library("fund", "5000 USD"),
        ];
        given::<Program>([])
            .when(apply(benefits, library()))
            .accepted();
    }

    #[test]
    fn unknown_archived_and_misvalued_benefits_are_refused_by_their_places() {
        let benefits = vec![
            from_library("protection", "60 hours"),
            from_library("fund", "5000"),
            from_library("old", "anything"),
            from_library("none", "yes"),
        ];
        given::<Program>([])
            .when(apply(benefits, library()))
            .invalid(&[
                "definition.tracks[0].tiers[0].benefits[0].value",
                "definition.tracks[0].tiers[0].benefits[1].value",
                "definition.tracks[0].tiers[0].benefits[2].id",
                "definition.tracks[0].tiers[0].benefits[3].id",
            ]);
    }

    #[test]
    fn a_draft_that_names_what_was_not_looked_up_has_changed_meanwhile() {
        let definition = giving(vec![from_library("protection", "60 days")]);
        let publish = |library| {
            ProgramCommand::Publish(PublishDraft {
                effective_date: date(2026, 3, 1),
                note: String::new(),
                transition: Transition::Now,
                today: date(2026, 3, 1),
                publisher: Publisher::default(),
                library,
            })
        };
        let program = given::<Program>([])
            .when(apply(Vec::new(), BenefitLibrary::default()))
            .accepted()
            .when(ProgramCommand::SaveDraft { definition })
            .accepted();
        program
            .clone()
            .when(publish(BenefitLibrary::default()))
            .refused("CONCURRENT_CHANGE");
        program.when(publish(library())).accepted();
    }

    #[test]
    fn a_version_that_is_published_already_is_not_checked_again() {
        let benefits = vec![from_library("protection", "60 days")];
        given::<Program>([])
            .when(apply(benefits.clone(), library()))
            .accepted()
            .when(apply(benefits, BenefitLibrary::default()))
            .nothing();
    }

    #[test]
    fn what_needs_no_library_is_checked_without_it() {
        let fields = |benefits| {
            let refused = validate(&giving(benefits)).unwrap_err().violations;
            refused.into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        let at = |at: usize, field: &str| format!("tracks[0].tiers[0].benefits[{at}].{field}");
        let named = |name: &str| Given {
            id: None,
            name: name.to_owned(),
            ..from_library("protection", "30 days")
        };
        let twins = vec![
            from_library("protection", "30 days"),
            from_library("protection", "60 days"),
            named("protection"),
            named("protection"),
        ];
        assert_eq!(fields(twins), [at(1, "id"), at(3, "name")]);
        let both = Given {
            name: "Protection".to_owned(),
            ..from_library("protection", "30 days")
        };
        assert_eq!(
            fields(vec![both, named("")]),
            [at(0, "name"), at(1, "name")]
        );
        let many = (0..limits::LIBRARY_BENEFITS).map(|n| from_library(&format!("b{n}"), "yes"));
        let mut definition = giving(many.clone().take(limits::BENEFITS).collect());
        let tier = definition.tracks[0].tiers[0].clone();
        let rest = many.skip(limits::BENEFITS).collect();
        definition.tracks[0].tiers.insert(
            0,
            crate::program::Tier {
                id: crate::ids::TierId::parse("platinum").unwrap(),
                benefits: rest,
                ..tier
            },
        );
        assert_eq!(validate(&definition), Ok(()));
        let last = &mut definition.tracks[0].tiers[2].benefits;
        last.push(from_library("one-more", "yes"));
        let refused = validate(&definition).unwrap_err();
        assert_eq!(refused.violations[0].field, "tracks");
    }

    #[test]
    fn a_benefit_is_earned_by_a_criterion_of_its_tier() {
        let earned = |by: &str| Given {
            earned_by: Some(by.to_owned()),
            ..from_library("protection", "30 days")
        };
        assert_eq!(validate(&giving(vec![earned("deals")])), Ok(()));
        let refused = validate(&giving(vec![earned("sales")])).unwrap_err();
        assert_eq!(
            refused.violations[0].field,
            "tracks[0].tiers[0].benefits[0].earned_by"
        );
        assert_eq!(
            refused.violations[0].description,
            "\"sales\" is no criterion of the tier, which has deals"
        );
        let mut entry = giving(Vec::new());
        entry.tracks[0].tiers[1].benefits = vec![earned("deals")];
        assert!(validate(&entry).is_err(), "nothing is asked for there");
    }
}
