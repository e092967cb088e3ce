//! Who may do what. A new target does not compile without its line here.
//!
//! Each text is what stands between GRANT and TO. Nobody gets UPDATE, DELETE or TRUNCATE on events
//! or log, and nobody here may create anything.

use tierline_domain::Entity;
use tierline_domain::access::Keyring;
use tierline_domain::activity::certification::Certification;
use tierline_domain::activity::deal::Deal;
use tierline_domain::activity::record::Record;
use tierline_domain::application::{Form, Submission};
use tierline_domain::benefit::Benefit;
use tierline_domain::enrollment::Enrollment;
use tierline_domain::partner::Partner;
use tierline_domain::program::Program;
use tierline_domain::program::org::Org;
use tierline_domain::program::rates::Rates;
use tierline_domain::segment::Segment;
use tierline_domain::standing::Standing;
use tierline_domain::surroundings::Surroundings;
use tierline_runtime::targets::Target;

/// What an account may do.
pub struct Rights {
    /// Groups of grants.
    pub grants: &'static [&'static [&'static str]],
    /// Types of aggregates whose events it may append.
    pub appends: &'static [&'static str],
}

/// The permanent name of an aggregate's type.
const fn kind<A: Entity>() -> &'static str {
    A::TYPE
}

/// What every account needs to see whether the schema suits its release.
pub const EVERYBODY: &[&str] = &["SELECT ON TABLE public.schema_migrations"];

/// Loading aggregates and appending events.
const APPEND: &[&str] = &[
    "SELECT, INSERT ON TABLE public.events",
    "INSERT ON TABLE public.outbox",
    "USAGE ON SEQUENCE public.outbox_id",
];
/// Receipts of requests, and unique names.
const COMMANDS: &[&str] = &[
    "SELECT, INSERT ON TABLE public.receipts",
    "SELECT, INSERT, DELETE ON TABLE public.claims",
];
/// Noting when an API key was used, by a function of the owner. The keys themselves are events.
const KEYS: &[&str] = &[
    "USAGE ON SCHEMA access",
    "EXECUTE ON FUNCTION access.note_key_uses",
];
/// When API keys were used.
const KEY_USES: &[&str] = &["SELECT ON TABLE access.key_uses"];
/// The images of badges.
const BADGES: &[&str] = &[
    "USAGE ON SCHEMA badges",
    "SELECT, INSERT ON TABLE badges.images",
];
/// Reading the log in its order.
const LOG: &[&str] = &[
    "SELECT ON TABLE public.events, public.log, public.outbox, public.sequencer, public.log_epochs",
];
/// Leases, members, checkpoints and parked events of a consumer.
const CONSUME: &[&str] = &[
    "USAGE ON SCHEMA bus",
    "SELECT, INSERT, UPDATE ON TABLE bus.leases, bus.checkpoints",
    "SELECT, INSERT, UPDATE, DELETE ON TABLE bus.members, bus.parked",
    "SELECT ON TABLE bus.given_up",
];
/// Giving numbers to committed events, and the upkeep of the log. What carries the log on is a
/// consumer besides.
const NUMBER: &[&str] = &[
    "SELECT, DELETE ON TABLE public.outbox",
    "SELECT, INSERT ON TABLE public.log",
    "SELECT, UPDATE ON TABLE public.sequencer",
    "EXECUTE ON FUNCTION public.sequence_outbox",
    "SELECT, DELETE ON TABLE public.receipts",
    "EXECUTE ON FUNCTION public.refresh_statistics",
];
/// What the tier evaluator knows.
const EVALUATE: &[&str] = &[
    "USAGE ON SCHEMA eval",
    "SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA eval",
];
/// The read models. Building them afresh makes tables, so that is the owner's.
const PROJECT: &[&str] = &[
    "USAGE ON SCHEMA read, read_build",
    "SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA read, read_build",
];
/// Everything that people may see, and two functions for parked events.
const ANSWER: &[&str] = &[
    "USAGE ON SCHEMA read, eval, bus",
    "SELECT ON ALL TABLES IN SCHEMA read",
    "SELECT ON TABLE eval.enrollments",
    "SELECT ON ALL TABLES IN SCHEMA bus",
    "EXECUTE ON FUNCTION bus.retry_parked, bus.give_up",
];

/// The rights of a target.
pub fn of(target: Target) -> Rights {
    match target {
        Target::Program => Rights {
            grants: &[APPEND, COMMANDS, KEYS, KEY_USES, BADGES],
            appends: const {
                &[
                    kind::<Org>(),
                    kind::<Program>(),
                    kind::<Rates>(),
                    kind::<Segment>(),
                    kind::<Benefit>(),
                    kind::<Keyring>(),
                ]
            },
        },
        Target::Partner => Rights {
            grants: &[APPEND, COMMANDS, KEYS],
            appends: const { &[kind::<Partner>()] },
        },
        Target::Enrollment => Rights {
            grants: &[APPEND, COMMANDS, LOG, CONSUME, KEYS],
            appends: const { &[kind::<Enrollment>()] },
        },
        Target::Activity => Rights {
            grants: &[APPEND, COMMANDS, KEYS],
            appends: const { &[kind::<Deal>(), kind::<Certification>(), kind::<Record>()] },
        },
        Target::Application => Rights {
            grants: &[APPEND, COMMANDS, KEYS],
            appends: const { &[kind::<Form>(), kind::<Submission>()] },
        },
        Target::TierEvaluator => Rights {
            grants: &[APPEND, LOG, CONSUME, EVALUATE],
            appends: const { &[kind::<Standing>(), kind::<Surroundings>()] },
        },
        Target::Relay => Rights {
            grants: &[LOG, CONSUME, NUMBER],
            appends: &[],
        },
        Target::Projector => Rights {
            grants: &[LOG, CONSUME, PROJECT],
            appends: &[],
        },
        Target::Query => Rights {
            grants: &[LOG, ANSWER, KEYS],
            appends: &[],
        },
    }
}

/// Memberships that only an administrator can give. `pg_read_all_stats`: without it the age of
/// the oldest transaction, which operators ask for, is hidden from other accounts.
pub const MEMBERSHIPS: &[(Target, &str)] = &[(Target::Query, "pg_read_all_stats")];

/// What an account keeps on read models that are built beside the serving ones.
pub const ON_BUILDS: &[(Target, &str)] = &[
    (Target::Projector, "SELECT, INSERT, UPDATE"),
    (Target::Query, "SELECT"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = (Target, &'static str)> {
        Target::ALL.into_iter().flat_map(|target| {
            let grants = of(target).grants.iter().copied().flatten();
            grants.map(move |grant| (target, *grant))
        })
    }

    #[test]
    fn nobody_may_change_what_is_written() {
        for (target, grant) in all() {
            let (privileges, on) = grant.split_once(" ON ").unwrap();
            let written = on.contains("public.events") || on.contains("public.log");
            for word in ["UPDATE", "DELETE", "TRUNCATE", "ALL PRIVILEGES"] {
                assert!(!(written && privileges.contains(word)), "{target}: {grant}");
            }
            assert!(
                !privileges.contains("CREATE") && !privileges.contains("TRUNCATE"),
                "{target}: {grant}"
            );
        }
    }

    #[test]
    fn who_answers_questions_writes_nothing() {
        for (_, grant) in all().filter(|(target, _)| *target == Target::Query) {
            let (privileges, _) = grant.split_once(" ON ").unwrap();
            assert!(
                ["SELECT", "USAGE", "EXECUTE"].contains(&privileges),
                "{grant}"
            );
        }
    }

    #[test]
    fn every_kind_of_aggregate_has_one_writer() {
        let mut seen = BTreeSet::new();
        for target in Target::ALL {
            for kind in of(target).appends {
                assert!(seen.insert(*kind), "{kind} has two writers");
            }
            let may = of(target)
                .grants
                .iter()
                .any(|group| group.iter().any(|grant| *grant == APPEND[0]));
            assert_eq!(may, !of(target).appends.is_empty(), "{target}");
        }
    }
}
