//! Exchange rates: published by the day, never forgotten, corrected by publishing the day again.

mod aggregate;
mod commands;
mod events;

pub use aggregate::Rates;
pub use commands::{PublishRates, RatesCommand};
pub use events::{RateDay, RatesEvent};
