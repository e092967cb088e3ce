//! The partner: its state and its decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::ids::PartnerId;
use crate::limits;
use crate::partner::check::{checked_person, checked_profile};
use crate::partner::commands::{CreatePartner, PartnerCommand, RecordPartner};
use crate::partner::events::{PartnerCreated, PartnerEvent};
use crate::partner::profile::{PartnerChanges, PartnerProfile, PartnerStatus, Person};
use crate::rejection::{Kind, Rejection, Violations};
use crate::rules::Value;

/// A person at a partner whom the vendor talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Identifier, unique within the partner: `c1`, `c2`, …
    pub id: String,
    /// Who it is.
    pub person: Person,
}

/// A partner, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    partner: Option<PartnerId>,
    profile: Option<PartnerProfile>,
    status: Option<PartnerStatus>,
    tags: BTreeSet<String>,
    contacts: Vec<Contact>,
    primary_contact: String,
    /// How many contacts were ever added; identifiers are not given twice.
    contacts_ever: u32,
    unreadable: bool,
}

crate::aggregate!(Partner, "Partner");

impl Partner {
    /// Identifier, once the partner exists.
    pub fn id(&self) -> Option<&PartnerId> {
        self.partner.as_ref()
    }

    /// The description, once the partner exists.
    pub fn profile(&self) -> Option<&PartnerProfile> {
        self.profile.as_ref()
    }

    /// Whether the partner takes part, once it exists.
    pub fn status(&self) -> Option<PartnerStatus> {
        self.status
    }

    /// The tags, ascending.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// All contacts, in the order in which they were added.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The contact with this identifier.
    pub fn contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == id)
    }

    /// The contact with this e-mail address, in any case.
    pub fn contact_of(&self, email: &str) -> Option<&Contact> {
        let email = email.trim().to_lowercase();
        self.contacts
            .iter()
            .find(|contact| contact.person.email == email)
    }

    /// The primary contact, once the partner exists.
    pub fn primary_contact(&self) -> Option<&Contact> {
        self.contact(&self.primary_contact)
    }

    /// What requirements and filters can ask about a partner: the built-in attributes, and those
    /// of the org's own. What is not known is not in the map.
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let (Some(profile), Some(status)) = (&self.profile, self.status) else {
            return BTreeMap::new();
        };
        profile.attributes_with(status, &self.tags)
    }

    /// The partner without its contacts: what may be kept where personal data has no business.
    #[must_use]
    pub fn without_contacts(mut self) -> Self {
        self.contacts.clear();
        self
    }

    fn present(&self) -> Result<(&PartnerProfile, PartnerStatus), Rejection> {
        self.profile.as_ref().zip(self.status).ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "PARTNER_NOT_FOUND",
                "the partner does not exist",
            )
        })
    }

    fn create(&self, create: CreatePartner) -> Result<Vec<PartnerEvent>, Rejection> {
        if self.partner.is_some() {
            return Err(Rejection::already_exists("partner", &create.partner));
        }
        let mut v = Violations::default();
        if !create.status.takes_part() {
            v.add("status", "a new partner is active or pending");
        }
        let created = checked_creation(&mut v, create);
        v.check()?;
        Ok(vec![PartnerEvent::PartnerCreated(Box::new(created))])
    }

    fn edit(&self, changes: PartnerChanges) -> Result<Vec<PartnerEvent>, Rejection> {
        let (before, _) = self.present()?;
        let mut after = before.clone();
        changes.apply_to(&mut after);
        let mut v = Violations::default();
        let after = checked_profile(&mut v, "", after, self.partner.as_ref());
        v.check()?;
        Ok(edited(before, &after))
    }

    fn record(&self, record: RecordPartner) -> Result<Vec<PartnerEvent>, Rejection> {
        let Ok((profile, status)) = self.present() else {
            let mut v = Violations::default();
            let created = checked_creation(
                &mut v,
                CreatePartner {
                    partner: record.partner,
                    profile: record.profile,
                    status: record.status.unwrap_or(PartnerStatus::Active),
                    tags: record.tags.unwrap_or_default(),
                    primary_contact: record.primary_contact,
                },
            );
            v.check()?;
            return Ok(vec![PartnerEvent::PartnerCreated(Box::new(created))]);
        };
        let mut v = Violations::default();
        let after = checked_profile(&mut v, "profile", record.profile, self.partner.as_ref());
        let person = checked_person(&mut v, "primary_contact", record.primary_contact);
        let tags = record
            .tags
            .unwrap_or_else(|| self.tags.iter().cloned().collect());
        limits::check_list(&mut v, "tags", &tags, limits::TAGS, limits::TAG);
        v.check()?;

        let mut events = edited(profile, &after);
        events.extend(self.primary_becomes(person));
        let wanted: BTreeSet<String> = tags.into_iter().collect();
        let added: Vec<_> = wanted.difference(&self.tags).cloned().collect();
        let removed: Vec<_> = self.tags.difference(&wanted).cloned().collect();
        events.extend(tagged(added, removed));
        if let Some(to) = record.status.filter(|to| *to != status) {
            events.push(PartnerEvent::PartnerStatusChanged {
                from: status,
                to,
                reason: String::new(),
            });
        }
        Ok(events)
    }

    /// The facts that make this person the primary contact.
    fn primary_becomes(&self, person: Person) -> Vec<PartnerEvent> {
        let contact = self
            .contact_of(&person.email)
            .or_else(|| self.primary_contact());
        let Some(contact) = contact else {
            return Vec::new();
        };
        let mut events = Vec::new();
        let id = contact.id.clone();
        let becomes_primary = id != self.primary_contact;
        if contact.person != person {
            events.push(PartnerEvent::ContactEdited {
                contact: id.clone(),
                person,
            });
        }
        if becomes_primary {
            events.push(PartnerEvent::PrimaryContactChanged { contact: id });
        }
        events
    }

    fn add_contact(&self, person: Person) -> Result<Vec<PartnerEvent>, Rejection> {
        let mut v = Violations::default();
        let person = checked_person(&mut v, "contact", person);
        v.check()?;
        self.email_is_free(&person, None)?;
        if self.contacts.len() >= limits::CONTACTS {
            let most = limits::CONTACTS;
            return Err(Rejection::new(
                Kind::Exhausted,
                "TOO_MANY_CONTACTS",
                format!("a partner has at most {most} contacts; remove one first"),
            ));
        }
        Ok(vec![PartnerEvent::ContactAdded {
            contact: format!("c{}", self.contacts_ever + 1),
            person,
        }])
    }

    fn edit_contact(&self, id: String, person: Person) -> Result<Vec<PartnerEvent>, Rejection> {
        let before = self.known_contact(&id)?;
        let mut v = Violations::default();
        let person = checked_person(&mut v, "contact", person);
        v.check()?;
        self.email_is_free(&person, Some(&id))?;
        if before.person == person {
            return Ok(Vec::new());
        }
        Ok(vec![PartnerEvent::ContactEdited {
            contact: id,
            person,
        }])
    }

    fn remove_contact(&self, id: String) -> Result<Vec<PartnerEvent>, Rejection> {
        self.known_contact(&id)?;
        if id == self.primary_contact {
            return Err(Rejection::precondition(
                "PRIMARY_CONTACT_REQUIRED",
                "the primary contact cannot be removed; make another contact the primary one \
                 first",
            ));
        }
        Ok(vec![PartnerEvent::ContactRemoved { contact: id }])
    }

    fn set_primary(&self, id: String) -> Result<Vec<PartnerEvent>, Rejection> {
        self.known_contact(&id)?;
        if id == self.primary_contact {
            return Ok(Vec::new());
        }
        Ok(vec![PartnerEvent::PrimaryContactChanged { contact: id }])
    }

    fn known_contact(&self, id: &str) -> Result<&Contact, Rejection> {
        self.contact(id)
            .ok_or_else(|| Rejection::not_found("contact", id))
    }

    fn email_is_free(&self, person: &Person, except: Option<&str>) -> Result<(), Rejection> {
        match self.contact_of(&person.email) {
            Some(other) if Some(other.id.as_str()) != except => Err(Rejection::new(
                Kind::AlreadyExists,
                "CONTACT_EXISTS",
                format!("contact {} has this e-mail address already", other.id),
            )),
            _ => Ok(()),
        }
    }

    fn tag(&self, add: Vec<String>, remove: Vec<String>) -> Result<Vec<PartnerEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_list(&mut v, "add", &add, limits::TAGS, limits::TAG);
        limits::check_list(&mut v, "remove", &remove, limits::TAGS, limits::TAG);
        let add: BTreeSet<String> = add.into_iter().collect();
        let remove: BTreeSet<String> = remove.into_iter().collect();
        for tag in add.intersection(&remove) {
            v.add("remove", format!("\"{tag}\" is to be added too"));
        }
        v.check()?;
        let removed: Vec<_> = remove.intersection(&self.tags).cloned().collect();
        let added: Vec<_> = add.difference(&self.tags).cloned().collect();
        if self.tags.len() + added.len() - removed.len() > limits::TAGS {
            let most = limits::TAGS;
            return Err(Rejection::new(
                Kind::Exhausted,
                "TOO_MANY_TAGS",
                format!("a partner has at most {most} tags; remove some first"),
            ));
        }
        Ok(tagged(added, removed))
    }

    fn change_status(
        &self,
        to: PartnerStatus,
        reason: String,
    ) -> Result<Vec<PartnerEvent>, Rejection> {
        use PartnerStatus::{Active, Inactive, Pending, Suspended};
        let (_, from) = self.present()?;
        let mut v = Violations::default();
        match to {
            Suspended | Inactive => limits::check_reason(&mut v, "reason", &reason),
            Pending | Active => limits::check_note(&mut v, "reason", &reason),
        }
        v.check()?;
        match (from, to) {
            _ if from == to => Ok(Vec::new()),
            (Pending | Inactive, Suspended) | (_, Pending) => Err(Rejection::precondition(
                format!("PARTNER_{}", from.as_str().to_uppercase()),
                format!("a partner that is {from} cannot become {to}"),
            )),
            _ => Ok(vec![PartnerEvent::PartnerStatusChanged {
                from,
                to,
                reason,
            }]),
        }
    }
}

fn checked_creation(v: &mut Violations, create: CreatePartner) -> PartnerCreated {
    v.take(
        "",
        crate::ids::check_label("partner_id", create.partner.as_str()),
    );
    let profile = checked_profile(v, "profile", create.profile, Some(&create.partner));
    let primary_contact = checked_person(v, "primary_contact", create.primary_contact);
    limits::check_list(v, "tags", &create.tags, limits::TAGS, limits::TAG);
    let mut tags = create.tags;
    tags.sort();
    PartnerCreated {
        partner: create.partner,
        status: create.status,
        profile,
        tags,
        primary_contact,
    }
}

fn edited(before: &PartnerProfile, after: &PartnerProfile) -> Vec<PartnerEvent> {
    let changes = PartnerChanges::between(before, after);
    if changes.is_empty() {
        return Vec::new();
    }
    vec![PartnerEvent::PartnerEdited {
        changes: Box::new(changes),
    }]
}

fn tagged(added: Vec<String>, removed: Vec<String>) -> Vec<PartnerEvent> {
    let mut events = Vec::new();
    if !removed.is_empty() {
        events.push(PartnerEvent::PartnerUntagged { tags: removed });
    }
    if !added.is_empty() {
        events.push(PartnerEvent::PartnerTagged { tags: added });
    }
    events
}

impl Decide for Partner {
    type Command = PartnerCommand;
    type Event = PartnerEvent;

    fn decide(&self, command: PartnerCommand) -> Result<Vec<PartnerEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        let creates = matches!(
            command,
            PartnerCommand::Create(_) | PartnerCommand::Record(_)
        );
        if !creates {
            self.present()?;
        }
        match command {
            PartnerCommand::Create(create) => self.create(*create),
            PartnerCommand::Edit(changes) => self.edit(*changes),
            PartnerCommand::Record(record) => self.record(*record),
            PartnerCommand::AddContact { person } => self.add_contact(person),
            PartnerCommand::EditContact { contact, person } => self.edit_contact(contact, person),
            PartnerCommand::RemoveContact { contact } => self.remove_contact(contact),
            PartnerCommand::SetPrimaryContact { contact } => self.set_primary(contact),
            PartnerCommand::Tag { add, remove } => self.tag(add, remove),
            PartnerCommand::Activate { reason } => {
                self.change_status(PartnerStatus::Active, reason)
            }
            PartnerCommand::Suspend { reason } => {
                self.change_status(PartnerStatus::Suspended, reason)
            }
            PartnerCommand::Deactivate { reason } => {
                self.change_status(PartnerStatus::Inactive, reason)
            }
        }
    }

    fn evolve(&mut self, event: &PartnerEvent) {
        match event {
            PartnerEvent::PartnerCreated(created) => {
                self.partner = Some(created.partner.clone());
                self.profile = Some(created.profile.clone());
                self.status = Some(created.status);
                self.tags = created.tags.iter().cloned().collect();
                self.contacts = vec![Contact {
                    id: "c1".to_owned(),
                    person: created.primary_contact.clone(),
                }];
                "c1".clone_into(&mut self.primary_contact);
                self.contacts_ever = 1;
            }
            PartnerEvent::PartnerEdited { changes } => {
                if let Some(profile) = &mut self.profile {
                    changes.apply_to(profile);
                }
            }
            PartnerEvent::ContactAdded { contact, person } => {
                self.contacts_ever += 1;
                self.contacts.push(Contact {
                    id: contact.clone(),
                    person: person.clone(),
                });
            }
            PartnerEvent::ContactEdited { contact, person } => {
                if let Some(known) = self.contacts.iter_mut().find(|known| known.id == *contact) {
                    known.person = person.clone();
                }
            }
            PartnerEvent::ContactRemoved { contact } => {
                self.contacts.retain(|known| known.id != *contact);
            }
            PartnerEvent::PrimaryContactChanged { contact } => {
                self.primary_contact.clone_from(contact);
            }
            PartnerEvent::PartnerTagged { tags } => self.tags.extend(tags.iter().cloned()),
            PartnerEvent::PartnerUntagged { tags } => {
                self.tags.retain(|tag| !tags.contains(tag));
            }
            PartnerEvent::PartnerStatusChanged { to, .. } => self.status = Some(*to),
            PartnerEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Partner {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }

    fn claims(&self) -> Vec<Claim> {
        self.profile
            .iter()
            .map(|profile| Claim {
                scope: "partner_domain",
                key: profile.domain.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
