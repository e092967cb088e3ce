//! Older shapes of stored events, lifted to the present ones.

use cqrs_es::persist::EventUpcaster;

/// Every upcaster, in the order in which they are tried; each is a pure function from JSON to JSON
/// and lifts one event type from one version to the next. All readers of stored events use this
/// list. It is empty as long as no event has changed its shape.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    Vec::new()
}
