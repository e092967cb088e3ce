//! Requirement logic: facts in, a verdict with its explanation out.
//!
//! [`evaluate()`] is a pure function of a requirement, a [`Context`] and a [`FactSource`].
//! Facts come from [`NaiveFacts`], which looks at every fact every time, or from [`IndexedFacts`],
//! which keeps one tally per series and day; both always give the same.

pub mod audit;
pub mod beyond;
mod by_law;
mod certified;
pub mod check;
mod children;
pub mod condition;
pub mod contribution;
pub mod digest;
pub mod evaluate;
pub mod explain;
pub mod fact;
mod in_force;
mod measuring;
pub mod model;
mod needs;
pub mod rates;
mod roles;
mod score;
mod sentence;
pub mod series;
pub mod source;
pub mod tally;
mod through_time;
pub mod value;
mod wanted;
pub mod window;

pub use audit::{FactVerdict, RatesUsed, facts_considered};
pub use beyond::{
    Beyond, BeyondState, Claim, InLine, KEPT_DAYS, MAX_COMPANIES, MAX_STATES, MAX_TIERS, Queue,
    Ranked, Ranking, RelatedCompany, Relation, TierElsewhere, WithBeyond, number_of, place_in_line,
    rank_among,
};
pub use certified::Certificate;
pub use condition::{FieldRef, Fields, Truth};
pub use contribution::{Contribution, Converted, Counted, LeftOut, PartSet, contribution};
pub use digest::Digest;
pub use evaluate::{Context, Evaluation, FactSource, Mode, evaluate, explain_partner};
pub use explain::{
    BeyondUsed, Explanation, Found, Input, Measured, MeasuredPart, Node, Outcome, PartnerCheck,
    Place, Unit,
};
pub use fact::{Fact, FactKind};
pub use model::{
    Across, Addend, After, Case, Company, Condition, Criterion, Duration, ForEach, Grouping,
    Growth, InForce, Line, Measure, MostPer, OfWhich, Otherwise, Path, Per, Periods, Points,
    PointsEntry, Rank, RankForm, Requirement, Role, Roles, ScorePoint, ScoreStep, Selection,
    Sustained, Take, Taken, Test, Threshold, TiersHeld, Validity, Weight, When, WhenZero, Where,
    Window,
};
pub use needs::{beyond_of, each_criterion, kinds_of, series_of};
pub use rates::{
    Conversion, FixedRates, LOOK_BACK_DAYS, NoRates, Pricing, RateOn, RateTable, Rates,
    RatesAsKnown, convert,
};
pub use series::{GroupBy, Series, SeriesKey, SeriesSpec, SeriesValue};
pub use source::{IndexedFacts, NaiveFacts, TouchedDay};
pub use tally::{PartTally, Tally};
pub use value::Value;
pub use wanted::Wanted;
