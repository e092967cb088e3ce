//! The segment: its state and its decisions.

use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{SegmentId, check_label};
use crate::limits;
use crate::rejection::{Kind, Rejection, Violations};
use crate::segment::commands::{CreateSegment, SegmentCommand};
use crate::segment::content::{SegmentChanges, SegmentContent};
use crate::segment::events::SegmentEvent;

/// A segment, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    segment: Option<SegmentId>,
    content: Option<SegmentContent>,
    archived: bool,
    unreadable: bool,
}

crate::aggregate!(Segment, "Segment");

impl Segment {
    /// Identifier, once the segment exists.
    pub fn id(&self) -> Option<&SegmentId> {
        self.segment.as_ref()
    }

    /// What it says, once the segment exists.
    pub fn content(&self) -> Option<&SegmentContent> {
        self.content.as_ref()
    }

    /// True while it is out of use.
    pub fn is_archived(&self) -> bool {
        self.archived
    }

    fn present(&self) -> Result<&SegmentContent, Rejection> {
        self.content.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "SEGMENT_NOT_FOUND",
                "the segment does not exist",
            )
        })
    }

    fn edit(&self, changes: &SegmentChanges) -> Result<Vec<SegmentEvent>, Rejection> {
        let before = self.present()?;
        let mut after = before.clone();
        changes.apply_to(&mut after);
        after.check()?;
        let changes = SegmentChanges::between(before, &after);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if self.archived {
            return Err(Rejection::precondition(
                "SEGMENT_ARCHIVED",
                "an archived segment does not change; restore it first",
            ));
        }
        Ok(vec![SegmentEvent::SegmentEdited {
            changes: Box::new(changes),
        }])
    }
}

fn create(create: CreateSegment) -> Result<Vec<SegmentEvent>, Rejection> {
    let CreateSegment {
        segment,
        content,
        others,
    } = create;
    let mut v = Violations::default();
    v.take("", check_label("segment", segment.as_str()));
    v.take("content", content.check());
    v.check()?;
    if others >= limits::SEGMENTS {
        let most = limits::SEGMENTS;
        return Err(Rejection::precondition(
            "TOO_MANY_SEGMENTS",
            format!(
                "an org has at most {most} segments, archived ones included; change one that is \
                 not needed any more"
            ),
        ));
    }
    Ok(vec![SegmentEvent::SegmentCreated {
        segment,
        content: Box::new(content),
    }])
}

impl Decide for Segment {
    type Command = SegmentCommand;
    type Event = SegmentEvent;

    fn decide(&self, command: SegmentCommand) -> Result<Vec<SegmentEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            SegmentCommand::Create(new) if self.segment.is_some() => {
                Err(Rejection::already_exists("segment", &new.segment))
            }
            SegmentCommand::Seed(_) if self.segment.is_some() => Ok(Vec::new()),
            SegmentCommand::Create(new) | SegmentCommand::Seed(new) => create(*new),
            SegmentCommand::Edit(changes) => self.edit(&changes),
            SegmentCommand::Archive => {
                self.present()?;
                let archived = (!self.archived).then_some(SegmentEvent::SegmentArchived {});
                Ok(archived.into_iter().collect())
            }
            SegmentCommand::Restore => {
                self.present()?;
                let restored = self.archived.then_some(SegmentEvent::SegmentRestored {});
                Ok(restored.into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &SegmentEvent) {
        match event {
            SegmentEvent::SegmentCreated { segment, content } => {
                self.segment = Some(segment.clone());
                self.content = Some((**content).clone());
            }
            SegmentEvent::SegmentEdited { changes } => {
                if let Some(content) = &mut self.content {
                    changes.apply_to(content);
                }
            }
            SegmentEvent::SegmentArchived {} => self.archived = true,
            SegmentEvent::SegmentRestored {} => self.archived = false,
            SegmentEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Segment {
    fn routing(&self) -> Option<Routing> {
        self.segment.as_ref().map(|segment| Routing::Alone {
            kind: "segment",
            id: segment.to_string(),
        })
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
