//! The form: its draft, its published versions, its decisions.

use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::application::form::commands::FormCommand;
use crate::application::form::content::FormContent;
use crate::application::form::events::FormEvent;
use crate::application::form::validate::{check_size, validate};
use crate::ids::{FormId, check_label};
use crate::limits;
use crate::rejection::{Kind, Rejection, Violations};

/// A form, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    form: Option<FormId>,
    draft: Option<Box<FormContent>>,
    versions: Vec<FormContent>,
    unreadable: bool,
}

crate::aggregate!(Form, "Form");

impl Form {
    /// Identifier, once the form exists.
    pub fn id(&self) -> Option<&FormId> {
        self.form.as_ref()
    }

    /// The draft of the next version.
    pub fn draft(&self) -> Option<&FormContent> {
        self.draft.as_deref()
    }

    /// Number of the newest published version; 0 before the first.
    pub fn newest(&self) -> u32 {
        // Bounded by `limits::FORM_VERSIONS`.
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    /// A published version.
    pub fn version(&self, number: u32) -> Option<&FormContent> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.versions.get(index)
    }

    /// The version that takes submissions, with its number: the newest. An applicant who was shown
    /// another one has to see what changed, above all in the agreements.
    ///
    /// # Errors
    /// `FORM_NOT_PUBLISHED` before the first version; `FORM_VERSION_REPLACED` when `shown` is an
    /// older version; `INVALID_REQUEST` on `form_version` when there never was such a one.
    pub fn open_version(&self, shown: Option<u32>) -> Result<(u32, &FormContent), Rejection> {
        let newest = self.newest();
        let Some(content) = self.version(newest) else {
            return Err(Rejection::precondition(
                "FORM_NOT_PUBLISHED",
                "the form has no published version yet; publish it first",
            ));
        };
        match shown {
            Some(shown) if shown == 0 || shown > newest => Err(Rejection::invalid(
                "form_version",
                format!("there is no version {shown}; the newest is {newest}"),
            )),
            Some(shown) if shown < newest => Err(Rejection::precondition(
                "FORM_VERSION_REPLACED",
                format!(
                    "version {shown} of the form was replaced by version {newest}; show that one \
                     to the applicant and submit again"
                ),
            )),
            _ => Ok((newest, content)),
        }
    }

    fn define(&self, content: Box<FormContent>) -> Result<Vec<FormEvent>, Rejection> {
        let mut v = Violations::default();
        v.take("", check_label("content.form", content.form.as_str()));
        v.take("content", check_size(&content));
        if self.form.as_ref().is_some_and(|form| *form != content.form) {
            v.add("content.form", "must be the identifier of the form");
        }
        v.check()?;
        let known = self.draft.as_deref().or(self.versions.last());
        if known == Some(&*content) {
            return Ok(Vec::new());
        }
        Ok(vec![FormEvent::FormDefined { content }])
    }

    fn publish(&self) -> Result<Vec<FormEvent>, Rejection> {
        if self.form.is_none() {
            return Err(Rejection::new(
                Kind::NotFound,
                "FORM_NOT_FOUND",
                "the form does not exist",
            ));
        }
        let Some(draft) = self.draft.clone() else {
            return Err(Rejection::precondition(
                "FORM_HAS_NO_DRAFT",
                "there is no draft to publish; define one first",
            ));
        };
        if self.versions.last() == Some(&*draft) {
            return Ok(Vec::new());
        }
        if self.versions.len() >= limits::FORM_VERSIONS {
            let most = limits::FORM_VERSIONS;
            return Err(Rejection::new(
                Kind::Exhausted,
                "TOO_MANY_VERSIONS",
                format!("a form has at most {most} versions; define a new form"),
            ));
        }
        let mut v = Violations::default();
        v.take("content", validate(&draft));
        v.check()?;
        Ok(vec![FormEvent::FormPublished {
            version: self.newest() + 1,
            content: draft,
        }])
    }
}

impl Decide for Form {
    type Command = FormCommand;
    type Event = FormEvent;

    fn decide(&self, command: FormCommand) -> Result<Vec<FormEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            FormCommand::Define { content } => self.define(content),
            FormCommand::Publish => self.publish(),
        }
    }

    fn evolve(&mut self, event: &FormEvent) {
        match event {
            FormEvent::FormDefined { content } => {
                self.form = Some(content.form.clone());
                self.draft = Some(content.clone());
            }
            FormEvent::FormPublished { content, .. } => {
                self.form = Some(content.form.clone());
                self.draft = None;
                self.versions.push((**content).clone());
            }
            FormEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Form {
    fn routing(&self) -> Option<Routing> {
        self.form.as_ref().map(|form| Routing::Alone {
            kind: "form",
            id: form.to_string(),
        })
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
