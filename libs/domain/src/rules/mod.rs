//! Requirement logic: facts in, a verdict with its explanation out.
//!
//! [`evaluate()`] is a pure function of a requirement, a [`Context`] and a [`FactSource`].
//! Facts come from [`NaiveFacts`], which looks at every fact every time, or from [`IndexedFacts`],
//! which keeps one tally per series and day; both always give the same.

pub mod audit;
mod certified;
pub mod check;
pub mod condition;
pub mod digest;
pub mod evaluate;
pub mod explain;
pub mod fact;
pub mod model;
pub mod rates;
mod sentence;
pub mod series;
pub mod source;
pub mod tally;
pub mod value;
pub mod window;

pub use audit::{FactVerdict, RatesUsed, facts_considered};
pub use certified::Certificate;
pub use condition::{FieldRef, Fields, Truth};
pub use digest::Digest;
pub use evaluate::{Context, Evaluation, FactSource, Mode, evaluate};
pub use explain::{Explanation, Measured, MeasuredPart, Node, Outcome, PartnerCheck, Unit};
pub use fact::{Fact, FactKind};
pub use model::{
    Addend, Condition, Criterion, Measure, OfWhich, Periods, Requirement, Selection, Test,
    Threshold, Window,
};
pub use rates::{
    Conversion, LOOK_BACK_DAYS, NoRates, RateOn, RateTable, Rates, RatesAsKnown, convert,
};
pub use series::{
    Contribution, Converted, Counted, LeftOut, PartSet, Series, SeriesKey, SeriesSpec, SeriesValue,
    contribution,
};
pub use source::{IndexedFacts, NaiveFacts, TouchedDay, each_criterion, series_of};
pub use tally::{PartTally, Tally};
pub use value::Value;
