//! The program: its draft, its published versions, its decisions.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::benefit::BenefitLibrary;
use crate::ids::{ProgramId, check_label};
use crate::limits;
use crate::money::Currency;
use crate::program::commands::{ApplyProgram, ProgramCommand, PublishDraft, Publisher};
use crate::program::definition::ProgramDefinition;
use crate::program::diff::diff;
use crate::program::draft::{DraftEdit, empty_draft};
use crate::program::events::ProgramEvent;
use crate::program::transition::Transition;
use crate::program::validate::{check_size, validate};
use crate::rejection::{Kind, Rejection, Violations};
use crate::time::check_date;

/// A program, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    program: Option<ProgramId>,
    name: String,
    draft: Option<Box<ProgramDefinition>>,
    versions: Vec<PublishedVersion>,
    archived: bool,
    unreadable: bool,
}

crate::aggregate!(Program, "Program");

/// A version that was published. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedVersion {
    /// Number: 1, 2, 3, …
    pub version: u32,
    /// The first business date on which it is in force.
    pub effective_date: Date,
    /// Why it was published, in the author's words; may be empty.
    pub note: String,
    /// From when on tiers may be lost under it.
    #[serde(default, skip_serializing_if = "Transition::is_usual")]
    pub transition: Transition,
    /// Its whole content.
    pub definition: Box<ProgramDefinition>,
    /// The actor who published it; empty: not known.
    #[serde(default)]
    pub author: String,
    /// When it was published, by the clock of the org; absent: not known.
    #[serde(default)]
    pub publish_time: Option<Timestamp>,
    /// How many places differ from the version before; absent for the first version.
    #[serde(default)]
    pub changes: Option<u32>,
}

impl Program {
    /// Identifier, once the program exists.
    pub fn id(&self) -> Option<&ProgramId> {
        self.program.as_ref()
    }

    /// What a person reads: the name in the latest published version, or the one given at first.
    pub fn name(&self) -> &str {
        self.versions
            .last()
            .map_or(&self.name, |latest| &latest.definition.name)
    }

    /// The draft of the next version.
    pub fn draft(&self) -> Option<&ProgramDefinition> {
        self.draft.as_deref()
    }

    /// All published versions; the first has number 1.
    pub fn versions(&self) -> &[PublishedVersion] {
        &self.versions
    }

    /// The version in force on a business date: of those that have begun, the latest.
    pub fn in_force_on(&self, day: Date) -> Option<&PublishedVersion> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.effective_date <= day)
    }

    /// True when the program takes no more versions and no more enrollments.
    pub fn is_archived(&self) -> bool {
        self.archived
    }

    fn create(&self, program: ProgramId, name: String) -> Result<Vec<ProgramEvent>, Rejection> {
        if self.program.is_some() {
            return Err(Rejection::already_exists("program", &program));
        }
        let mut v = Violations::default();
        v.take("", check_label("program_id", program.as_str()));
        limits::check_name(&mut v, "name", &name, limits::NAME);
        v.check()?;
        Ok(vec![ProgramEvent::ProgramCreated { program, name }])
    }

    fn must_exist(&self) -> Result<&ProgramId, Rejection> {
        self.program.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "PROGRAM_NOT_FOUND",
                "the program does not exist",
            )
        })
    }

    fn must_be_open(&self) -> Result<(), Rejection> {
        if self.archived {
            return Err(Rejection::precondition(
                "PROGRAM_ARCHIVED",
                "the program is archived and takes no more versions",
            ));
        }
        Ok(())
    }

    fn save_draft(
        &self,
        definition: Box<ProgramDefinition>,
    ) -> Result<Vec<ProgramEvent>, Rejection> {
        let program = self.must_exist()?;
        self.must_be_open()?;
        let mut v = Violations::default();
        v.take("definition", check_size(&definition));
        v.check()?;
        slug_must_be(program, &definition)?;
        if self.draft.as_ref() == Some(&definition) {
            return Ok(Vec::new());
        }
        Ok(vec![ProgramEvent::ProgramDraftSaved { definition }])
    }

    fn edit_draft(
        &self,
        edit: DraftEdit,
        currency: Currency,
    ) -> Result<Vec<ProgramEvent>, Rejection> {
        let program = self.must_exist()?;
        self.must_be_open()?;
        let newest = self.versions.last().map(|newest| &newest.definition);
        let known = self.draft.as_ref().or(newest);
        let mut definition = match known {
            Some(known) => known.clone(),
            None => Box::new(empty_draft(program, &self.name, currency)),
        };
        edit.apply(&mut definition)?;
        let mut v = Violations::default();
        v.take("definition", check_size(&definition));
        v.check()?;
        if known == Some(&definition) {
            return Ok(Vec::new());
        }
        Ok(vec![ProgramEvent::ProgramDraftSaved { definition }])
    }

    fn discard_draft(&self) -> Result<Vec<ProgramEvent>, Rejection> {
        self.must_exist()?;
        if self.draft.is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![ProgramEvent::ProgramDraftDiscarded {}])
    }

    fn copy(
        &self,
        program: ProgramId,
        name: String,
        mut definition: Box<ProgramDefinition>,
    ) -> Result<Vec<ProgramEvent>, Rejection> {
        program.as_str().clone_into(&mut definition.slug);
        definition.name.clone_from(&name);
        let mut events = self.create(program, name)?;
        events.push(ProgramEvent::ProgramDraftSaved { definition });
        Ok(events)
    }

    fn publish(&self, publish: PublishDraft) -> Result<Vec<ProgramEvent>, Rejection> {
        let program = self.must_exist()?;
        let Some(draft) = self.draft.clone() else {
            return Err(Rejection::precondition(
                "PROGRAM_HAS_NO_DRAFT",
                "there is no draft to publish; save one first",
            ));
        };
        slug_must_be(program, &draft)?;
        let PublishDraft {
            effective_date,
            note,
            transition,
            today,
            publisher,
            library,
        } = publish;
        let dates = (effective_date, transition);
        self.next_version(draft, dates, note, today, publisher, &library)
    }

    fn apply(&self, apply: ApplyProgram) -> Result<Vec<ProgramEvent>, Rejection> {
        let ApplyProgram {
            definition,
            effective_date,
            note,
            transition,
            today,
            publisher,
            library,
        } = apply;
        let dates = (effective_date, transition);
        if let Some(program) = &self.program {
            slug_must_be(program, &definition)?;
            return self.next_version(definition, dates, note, today, publisher, &library);
        }
        let (slug, name) = (definition.slug.clone(), definition.name.clone());
        let mut events = self.next_version(definition, dates, note, today, publisher, &library)?;
        let program = ProgramId::parse(slug)?;
        events.insert(0, ProgramEvent::ProgramCreated { program, name });
        Ok(events)
    }

    fn next_version(
        &self,
        definition: Box<ProgramDefinition>,
        (effective_date, transition): (Date, Transition),
        note: String,
        today: Date,
        publisher: Publisher,
        library: &BenefitLibrary,
    ) -> Result<Vec<ProgramEvent>, Rejection> {
        self.must_be_open()?;
        let latest = self.versions.last();
        // The usual transition is not asked for: applying the same file again says nothing new.
        let says_it = |latest: &PublishedVersion| {
            latest.definition == definition
                && (transition == Transition::Now || latest.transition == transition)
        };
        if latest.is_some_and(says_it) {
            return Ok(Vec::new());
        }
        if self.versions.len() >= limits::VERSIONS {
            let most = limits::VERSIONS;
            return Err(Rejection::new(
                Kind::Exhausted,
                "TOO_MANY_VERSIONS",
                format!("a program has at most {most} versions; start a new program"),
            ));
        }
        let mut v = Violations::default();
        v.take("definition", validate(&definition));
        v.take("definition", library.check(&definition));
        limits::check_note(&mut v, "note", &note);
        v.take("", check_date("effective_date", effective_date));
        v.take("", transition.check(&definition, effective_date));
        v.check()?;
        library.must_cover(&definition)?;
        if let Some(latest) = latest {
            begins_after(latest, effective_date, today)?;
        }
        Ok(vec![ProgramEvent::ProgramVersionPublished {
            version: latest.map_or(1, |latest| latest.version + 1),
            effective_date,
            note,
            transition,
            definition,
            author: publisher.author,
            publish_time: publisher.time,
        }])
    }

    fn archive(&self) -> Result<Vec<ProgramEvent>, Rejection> {
        self.must_exist()?;
        if self.archived {
            return Ok(Vec::new());
        }
        Ok(vec![ProgramEvent::ProgramArchived {}])
    }

    fn restore(&self) -> Result<Vec<ProgramEvent>, Rejection> {
        self.must_exist()?;
        if !self.archived {
            return Ok(Vec::new());
        }
        Ok(vec![ProgramEvent::ProgramRestored {}])
    }
}

/// A later version never reaches back: decisions that were made stay as they were made.
fn begins_after(latest: &PublishedVersion, date: Date, today: Date) -> Result<(), Rejection> {
    if date < latest.effective_date {
        return Err(Rejection::precondition(
            "EFFECTIVE_DATE_BEFORE_PREVIOUS",
            format!(
                "version {} is in force from {}; the next one cannot begin before it",
                latest.version, latest.effective_date
            ),
        ));
    }
    if date < today {
        return Err(Rejection::precondition(
            "EFFECTIVE_DATE_IN_PAST",
            format!("only the first version may begin in the past; today is {today}"),
        ));
    }
    Ok(())
}

fn slug_must_be(program: &ProgramId, definition: &ProgramDefinition) -> Result<(), Rejection> {
    if definition.slug == program.as_str() {
        return Ok(());
    }
    Err(Rejection::invalid(
        "definition.slug",
        format!("must be \"{program}\", the identifier of the program"),
    ))
}

impl Decide for Program {
    type Command = ProgramCommand;
    type Event = ProgramEvent;

    fn decide(&self, command: ProgramCommand) -> Result<Vec<ProgramEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            ProgramCommand::Create { program, name } => self.create(program, name),
            ProgramCommand::SaveDraft { definition } => self.save_draft(definition),
            ProgramCommand::EditDraft { edit, currency } => self.edit_draft(*edit, currency),
            ProgramCommand::DiscardDraft => self.discard_draft(),
            ProgramCommand::Copy {
                program,
                name,
                definition,
            } => self.copy(program, name, definition),
            ProgramCommand::Publish(publish) => self.publish(publish),
            ProgramCommand::Apply(apply) => self.apply(apply),
            ProgramCommand::Archive => self.archive(),
            ProgramCommand::Restore => self.restore(),
        }
    }

    fn evolve(&mut self, event: &ProgramEvent) {
        match event {
            ProgramEvent::ProgramCreated { program, name } => {
                self.program = Some(program.clone());
                self.name.clone_from(name);
            }
            ProgramEvent::ProgramDraftSaved { definition } => {
                self.draft = Some(definition.clone());
            }
            ProgramEvent::ProgramDraftDiscarded {} => self.draft = None,
            ProgramEvent::ProgramVersionPublished {
                version,
                effective_date,
                definition,
                note,
                transition,
                author,
                publish_time,
            } => {
                if self.draft.as_ref() == Some(definition) {
                    self.draft = None;
                }
                let before = self.versions.last();
                let changes = before.map(|before| diff(&before.definition, definition).len());
                self.versions.push(PublishedVersion {
                    version: *version,
                    effective_date: *effective_date,
                    note: note.clone(),
                    transition: *transition,
                    definition: definition.clone(),
                    author: author.clone(),
                    publish_time: *publish_time,
                    changes: changes.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
                });
            }
            ProgramEvent::ProgramArchived {} => self.archived = true,
            ProgramEvent::ProgramRestored {} => self.archived = false,
            ProgramEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Program {
    fn routing(&self) -> Option<Routing> {
        self.program.as_ref().map(|_| Routing::EveryPartition)
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
