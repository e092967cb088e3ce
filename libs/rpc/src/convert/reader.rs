//! Reading a message: where we are in it, and everything that is wrong so far.

use tierline_domain::Rejection;
use tierline_domain::rejection::Violations;

/// Collects violations under the path of the field that is being read.
#[derive(Debug, Default)]
pub struct Reader {
    path: String,
    violations: Violations,
}

impl Reader {
    /// At the top of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads below a field.
    pub fn at<T>(&mut self, field: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        // An index belongs to the field before it.
        if length > 0 && !field.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(field);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// Notes that the field here is wrong.
    pub fn wrong<T>(&mut self, description: impl Into<String>) -> Option<T> {
        self.violations.add(self.path.clone(), description);
        None
    }

    /// Keeps a value, or notes at the field here why there is none.
    pub fn take<T>(&mut self, result: Result<T, Rejection>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(rejection) => {
                // The names that checks of the domain use for a single value mean this field.
                let text = rejection
                    .violations
                    .first()
                    .map_or(rejection.message.clone(), |violation| {
                        violation.description.clone()
                    });
                self.wrong(text)
            }
        }
    }

    /// Keeps a value whose own violations lie below the field here.
    pub fn take_below<T>(&mut self, result: Result<T, Rejection>) -> Option<T> {
        self.violations.take(&self.path.clone(), result)
    }

    /// Reads a message that must be there.
    pub fn required<M, T>(
        &mut self,
        field: &str,
        message: Option<M>,
        read: impl FnOnce(&mut Self, M) -> Option<T>,
    ) -> Option<T> {
        self.at(field, |reader| match message {
            Some(message) => read(reader, message),
            None => reader.wrong("is required"),
        })
    }

    /// Reads a message that may be absent: `Some(None)` when it is, `None` when it is wrong.
    pub fn optional<M, T>(
        &mut self,
        field: &str,
        message: Option<M>,
        read: impl FnOnce(&mut Self, M) -> Option<T>,
    ) -> Option<Option<T>> {
        match message {
            None => Some(None),
            Some(message) => self.at(field, |reader| read(reader, message)).map(Some),
        }
    }

    /// Reads every item of a list; `None` when one of them is wrong.
    pub fn list<M, T>(
        &mut self,
        field: &str,
        items: Vec<M>,
        mut read: impl FnMut(&mut Self, M) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.at(field, |reader| {
            let read_items: Vec<Option<T>> = items
                .into_iter()
                .enumerate()
                .map(|(at, item)| reader.at(&format!("[{at}]"), |reader| read(reader, item)))
                .collect();
            read_items.into_iter().collect()
        })
    }

    /// The value, or one refusal that names every wrong field.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when anything was wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Rejection> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(self.violations.into_rejection()),
        }
    }
}
