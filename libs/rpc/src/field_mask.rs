//! Field masks (AIP-134, AIP-161): which fields of a message a change is about.

use std::collections::BTreeSet;

use tierline_domain::Rejection;
use tierline_domain::rejection::Violations;

use crate::limits::MAX_MASK_PATHS;

/// The fields that a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMask(BTreeSet<&'static str>);

impl FieldMask {
    /// Checks a mask. `allowed` are the fields that may be changed; `set` tells of each whether
    /// the message has it, which decides where the mask is absent or empty. `*` means all.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `update_mask`, naming every path that is not allowed.
    pub fn new(
        mask: Option<&prost_types::FieldMask>,
        allowed: &[&'static str],
        set: impl Fn(&str) -> bool,
    ) -> Result<Self, Rejection> {
        let paths = mask.map_or(&[][..], |mask| &mask.paths);
        if paths.is_empty() {
            return Ok(Self(
                allowed.iter().copied().filter(|field| set(field)).collect(),
            ));
        }
        if paths == ["*"] {
            return Ok(Self(allowed.iter().copied().collect()));
        }
        if paths.len() > MAX_MASK_PATHS {
            let text = format!("must have at most {MAX_MASK_PATHS} paths");
            return Err(Rejection::invalid("update_mask", text));
        }
        let mut fields = BTreeSet::new();
        let mut violations = Violations::default();
        for path in paths {
            match allowed.iter().find(|field| *field == path) {
                Some(field) => {
                    fields.insert(*field);
                }
                None => violations.add(
                    "update_mask",
                    format!(
                        "\"{}\" cannot be changed here; allowed are {}",
                        path.chars().take(100).collect::<String>(),
                        allowed.join(", ")
                    ),
                ),
            }
        }
        violations.check()?;
        Ok(Self(fields))
    }

    /// True when the change is about the field.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    /// `value`, when the change is about the field.
    pub fn take<T>(&self, field: &str, value: T) -> Option<T> {
        self.has(field).then_some(value)
    }

    /// True when the change is about nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &[&str] = &["name", "domain", "region"];

    fn mask(paths: &[&str]) -> Result<FieldMask, Rejection> {
        let mask = prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        FieldMask::new(Some(&mask), ALLOWED, |field| field == "name")
    }

    #[test]
    fn a_mask_has_a_bounded_number_of_paths() {
        let mask = prost_types::FieldMask {
            paths: vec!["x".to_owned(); MAX_MASK_PATHS + 1],
        };
        let refusal = FieldMask::new(Some(&mask), &["name"], |_| true).unwrap_err();
        assert_eq!(refusal.violations.len(), 1);
        assert!(refusal.message.contains("at most 100"), "{refusal}");
    }

    #[test]
    fn named_fields_are_changed_even_to_nothing() {
        let mask = mask(&["domain", "region"]).unwrap();
        assert!(mask.has("domain") && mask.has("region") && !mask.has("name"));
        assert_eq!(mask.take("region", ""), Some(""));
        assert_eq!(mask.take("name", ""), None);
    }

    #[test]
    fn without_a_mask_the_set_fields_are_meant_and_a_star_means_all() {
        assert!(mask(&[]).unwrap().has("name"));
        assert!(!mask(&[]).unwrap().has("domain"));
        assert!(mask(&["*"]).unwrap().has("domain"));
        assert!(FieldMask::new(None, ALLOWED, |_| false).unwrap().is_empty());
    }

    #[test]
    fn every_field_that_cannot_be_changed_is_named() {
        let refusal = mask(&["status", "name", "contacts.email"]).unwrap_err();
        assert_eq!(refusal.violations.len(), 2);
        assert_eq!(refusal.violations[0].field, "update_mask");
        assert!(refusal.violations[1].description.contains("contacts.email"));
    }
}
