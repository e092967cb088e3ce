//! The benefit of the library: its state and its decisions.

use serde::{Deserialize, Serialize};

use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::benefit::commands::{BenefitCommand, CreateBenefit};
use crate::benefit::content::{BenefitChanges, BenefitContent};
use crate::benefit::events::BenefitEvent;
use crate::ids::{BenefitId, check_label};
use crate::rejection::{Kind, Rejection, Violations};

/// A benefit, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benefit {
    benefit: Option<BenefitId>,
    content: Option<BenefitContent>,
    archived: bool,
    unreadable: bool,
}

crate::aggregate!(Benefit, "Benefit");

impl Benefit {
    /// Identifier, once the benefit exists.
    pub fn id(&self) -> Option<&BenefitId> {
        self.benefit.as_ref()
    }

    /// What it is, once the benefit exists.
    pub fn content(&self) -> Option<&BenefitContent> {
        self.content.as_ref()
    }

    /// True while new versions of programs do not take it.
    pub fn is_archived(&self) -> bool {
        self.archived
    }

    fn present(&self) -> Result<&BenefitContent, Rejection> {
        self.content.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "BENEFIT_NOT_FOUND",
                "the benefit does not exist",
            )
        })
    }

    fn edit(&self, changes: &BenefitChanges) -> Result<Vec<BenefitEvent>, Rejection> {
        let before = self.present()?;
        let mut after = before.clone();
        changes.apply_to(&mut after);
        after.check()?;
        let changes = BenefitChanges::between(before, &after);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if self.archived {
            return Err(Rejection::precondition(
                "BENEFIT_ARCHIVED",
                "an archived benefit does not change; restore it first",
            ));
        }
        Ok(vec![BenefitEvent::BenefitEdited {
            changes: Box::new(changes),
        }])
    }
}

fn create(create: CreateBenefit) -> Result<Vec<BenefitEvent>, Rejection> {
    let CreateBenefit { benefit, content } = create;
    let mut v = Violations::default();
    v.take("", check_label("benefit", benefit.as_str()));
    v.take("content", content.check());
    v.check()?;
    Ok(vec![BenefitEvent::BenefitCreated {
        benefit,
        content: Box::new(content),
    }])
}

impl Decide for Benefit {
    type Command = BenefitCommand;
    type Event = BenefitEvent;

    fn decide(&self, command: BenefitCommand) -> Result<Vec<BenefitEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            BenefitCommand::Create(new) if self.benefit.is_some() => {
                Err(Rejection::already_exists("benefit", &new.benefit))
            }
            BenefitCommand::Seed(_) if self.benefit.is_some() => Ok(Vec::new()),
            BenefitCommand::Create(new) | BenefitCommand::Seed(new) => create(*new),
            BenefitCommand::Edit(changes) => self.edit(&changes),
            BenefitCommand::Archive => {
                self.present()?;
                let archived = (!self.archived).then_some(BenefitEvent::BenefitArchived {});
                Ok(archived.into_iter().collect())
            }
            BenefitCommand::Restore => {
                self.present()?;
                let restored = self.archived.then_some(BenefitEvent::BenefitRestored {});
                Ok(restored.into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &BenefitEvent) {
        match event {
            BenefitEvent::BenefitCreated { benefit, content } => {
                self.benefit = Some(benefit.clone());
                self.content = Some((**content).clone());
            }
            BenefitEvent::BenefitEdited { changes } => {
                if let Some(content) = &mut self.content {
                    changes.apply_to(content);
                }
            }
            BenefitEvent::BenefitArchived {} => self.archived = true,
            BenefitEvent::BenefitRestored {} => self.archived = false,
            BenefitEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Benefit {
    fn routing(&self) -> Option<Routing> {
        self.benefit.as_ref().map(|benefit| Routing::Alone {
            kind: "benefit",
            id: benefit.to_string(),
        })
    }

    /// Its name, also while it is archived: versions in force may still give it.
    fn claims(&self) -> Vec<Claim> {
        let name = |content: &BenefitContent| Claim {
            scope: "benefit_name",
            key: content.name.trim().to_lowercase(),
        };
        self.content.iter().map(name).collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
