//! What lies beyond an enrollment, as it was observed: related companies, tiers held elsewhere,
//! places in rankings and in lines.
//!
//! An assessment looks at one partner. What others do reaches it as an event in its own partition
//! of the log: somebody surveys the whole org, and writes down for each enrollment what it is to
//! know. So the assessment stays pure, and replay finds the input where every other input is.
//!
//! *Not here:* the rules that look at it ([`crate::rules::Beyond`]); who surveys, and when.

mod aggregate;
mod events;
mod needs;
mod otherwise;
mod relations;
mod survey;

#[cfg(test)]
mod tests;

pub use aggregate::Surroundings;
pub use events::{Observed, SurroundingsEvent};
pub use needs::looks_beyond;
pub(crate) use otherwise::Otherwise;
pub use survey::{Everybody, MAX_OBSERVATIONS_PER_DAY, Member, Survey};
