//! What may be asked of the exchange rates of an org.

use crate::money::Currency;
use crate::program::rates::events::RateDay;

/// The commands of exchange rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RatesCommand {
    /// Publish rates. Days that say the same as before are left out; nothing left: nothing to do.
    Publish(PublishRates),
}

/// Publish rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRates {
    /// Who says so, such as `ECB`.
    pub source: String,
    /// The currency of which one unit is worth the rates. The first publication fixes it.
    pub base: Currency,
    /// The days, in any order, each once; a day is published as a whole. At most
    /// [`crate::limits::RATE_DAYS_PER_COMMAND`].
    pub days: Vec<RateDay>,
}
