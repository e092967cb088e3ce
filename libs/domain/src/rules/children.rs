//! What lies directly inside a requirement or a measure: the one place that knows it, for looking
//! and for changing alike.

use crate::rules::model::{Measure, Requirement};

macro_rules! children_of_requirements {
    ($(#[$doc:meta])* $name:ident, $iter:ident, $($mutable:ident)?) => {
        $(#[$doc])*
        pub fn $name<'a>(&'a $($mutable)? self, visit: &mut dyn FnMut(&'a $($mutable)? Self)) {
            match self {
                Self::All(parts) | Self::Any(parts) => parts.$iter().for_each(visit),
                Self::AtLeast { of, .. } => of.$iter().for_each(visit),
                Self::Not(part) | Self::Information(part) => visit(part),
                Self::EveryPeriod(periods) | Self::AnyPeriod(periods) => {
                    visit(& $($mutable)? periods.holds);
                }
                Self::Streak { holds, .. } | Self::AnyDay { holds, .. } => visit(holds),
                Self::Sustained(sustained) => visit(& $($mutable)? sustained.holds),
                Self::ForEach(each) => visit(& $($mutable)? each.holds),
                Self::BestOf(paths) => {
                    paths.$iter().for_each(|path| visit(& $($mutable)? path.holds));
                }
                Self::Where(place) => visit(& $($mutable)? place.holds),
                Self::Criterion(_) | Self::Partner { .. } => {}
            }
        }
    };
}

macro_rules! children_of_measures {
    ($(#[$doc:meta])* $name:ident, $iter:ident, $($mutable:ident)?) => {
        $(#[$doc])*
        pub fn $name<'a>(&'a $($mutable)? self, visit: &mut dyn FnMut(&'a $($mutable)? Self)) {
            match self {
                Self::Ratio { of, to, .. } => {
                    visit(of);
                    visit(to);
                }
                Self::Difference { of, less } => {
                    visit(of);
                    visit(less);
                }
                Self::Total(parts) | Self::Least(parts) | Self::Greatest(parts) => {
                    parts.$iter().for_each(visit);
                }
                Self::Growth(growth) => visit(& $($mutable)? growth.of),
                Self::Times { of, .. }
                | Self::Steps { of, .. }
                | Self::Linear { of, .. }
                | Self::Gate { of, .. } => visit(of),
                Self::Across(across) => visit(& $($mutable)? across.of),
                Self::Rank(rank) => visit(& $($mutable)? rank.of),
                Self::Line(line) => visit(& $($mutable)? line.by),
                Self::Weighted(parts) => {
                    parts.$iter().for_each(|part| visit(& $($mutable)? part.of));
                }
                Self::Count { .. }
                | Self::CountDistinct { .. }
                | Self::Sum { .. }
                | Self::Points(_)
                | Self::Groups { .. }
                | Self::CountGroups { .. }
                | Self::PersonsCertified { .. }
                | Self::Roles(_)
                | Self::InForce(_)
                | Self::TiersHeld(_)
                | Self::DaysSince { .. }
                | Self::MonthsInProgram
                | Self::MonthsInTier
                | Self::PeriodsInTier { .. }
                | Self::PartnerNumber { .. } => {}
            }
        }
    };
}

impl Requirement {
    children_of_requirements! {
        /// Calls `visit` with every requirement directly inside this one.
        each_child, iter,
    }
    children_of_requirements! {
        /// The same, to change them.
        each_child_mut, iter_mut, mut
    }
}

impl Measure {
    children_of_measures! {
        /// Calls `visit` with every measure directly inside this one.
        each_child, iter,
    }
    children_of_measures! {
        /// The same, to change them.
        each_child_mut, iter_mut, mut
    }
}
