//! Filters (a subset of AIP-160): `field operator value` with AND, OR, NOT and parentheses.
//!
//! - OR binds tighter than AND: `a=1 AND b=2 OR b=3` means `a=1 AND (b=2 OR b=3)`.
//! - Operators: `=`, `!=`, `<`, `<=`, `>`, `>=`, and `:` (a list has the value; a text contains
//!   it). `field:*` means: there is a value.
//! - Values are bare words or texts in double or single quotation marks, with `\` before a mark.
//! - `-` before a term is NOT.
//!
//! Deliberately absent: terms without a field, terms side by side without AND, functions. They
//! are refused with a text that says what to write.

mod parse;
mod sql;

pub use parse::parse;
pub use sql::{FieldKind, FilterField, push_filter, refuse};

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Everything passes: the filter was empty.
    Everything,
    /// Every one holds.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A comparison.
    Term(Term),
    /// An SQL expression has one of these values. No text is read as this: it is put in the place
    /// of a term that is looked up first.
    OneOf(&'static str, Vec<String>),
}

impl Filter {
    /// Calls `visit` with every comparison.
    pub fn each_term<'a>(&'a self, visit: &mut dyn FnMut(&'a Term)) {
        match self {
            Self::Everything | Self::OneOf(..) => {}
            Self::And(items) | Self::Or(items) => {
                items.iter().for_each(|item| item.each_term(visit));
            }
            Self::Not(inner) => inner.each_term(visit),
            Self::Term(term) => visit(term),
        }
    }

    /// Puts others in the place of some comparisons.
    pub fn replace_terms(&mut self, with: &mut dyn FnMut(&Term) -> Option<Filter>) {
        match self {
            Self::Everything | Self::OneOf(..) => {}
            Self::And(items) | Self::Or(items) => {
                items.iter_mut().for_each(|item| item.replace_terms(with));
            }
            Self::Not(inner) => inner.replace_terms(with),
            Self::Term(term) => {
                if let Some(other) = with(term) {
                    *self = other;
                }
            }
        }
    }
}

/// A field compared with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Name of the field.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: FilterValue,
    /// Where the term begins, in characters from 1.
    pub column: usize,
}

/// A value of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterValue {
    /// A text, not yet typed.
    Text(String),
    /// `*`: any value.
    Any,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equals,
    /// `!=`
    NotEquals,
    /// `<`
    Less,
    /// `<=`
    LessOrEquals,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEquals,
    /// `:`
    Has,
}

impl Operator {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::NotEquals => "!=",
            Self::Less => "<",
            Self::LessOrEquals => "<=",
            Self::Greater => ">",
            Self::GreaterOrEquals => ">=",
            Self::Has => ":",
        }
    }
}
