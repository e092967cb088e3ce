//! Who is meant: a partner named by its identifier, its domain or its name.

use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tierline_proto::query::v1::{ListPartnersRequest, PartnerSummary};
use tonic::Code;

use crate::client::{Authorized, refused};

/// Most candidates that an error lists.
const CANDIDATES: i32 = 10;

/// The partner that was meant.
#[derive(Debug, Clone)]
pub struct Partner {
    /// Identifier.
    pub id: String,
    /// Name; empty when the caller may not list partners.
    pub name: String,
}

/// A text as it stands in a filter.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Finds the partner. An identifier wins over a domain, and that over a name.
///
/// # Errors
/// Nobody, or several of the same name; the text lists candidates.
pub async fn find(channel: &Authorized, text: &str) -> anyhow::Result<Partner> {
    let text = text.trim();
    anyhow::ensure!(
        !text.is_empty(),
        "which partner? Name it by its identifier, its domain or its name"
    );
    let wanted = quoted(text);
    let exact = format!("partner_id = {wanted} OR domain = {wanted} OR name = {wanted}");
    let found = match list(channel, exact).await {
        Ok(found) => found,
        // Contacts of a partner see their own one and cannot list; they know its identifier.
        Err(status) if status.code() == Code::PermissionDenied => {
            return Ok(Partner {
                id: text.to_owned(),
                name: String::new(),
            });
        }
        Err(status) => return Err(refused(status)),
    };
    match choose(text, found) {
        Chosen::One(partner) => Ok(partner),
        Chosen::Several(several) => anyhow::bail!(
            "several partners are named \"{text}\"; name one by its identifier:\n{}",
            candidates(&several)
        ),
        Chosen::None => {
            let near = list(channel, format!("name : {wanted} OR domain : {wanted}"));
            anyhow::bail!(nobody(text, &near.await.map_err(refused)?))
        }
    }
}

async fn list(channel: &Authorized, filter: String) -> Result<Vec<PartnerSummary>, tonic::Status> {
    let request = ListPartnersRequest {
        filter,
        page_size: CANDIDATES,
        ..Default::default()
    };
    let mut client = PartnerQueryServiceClient::new(channel.clone());
    Ok(client.list_partners(request).await?.into_inner().partners)
}

#[derive(Debug)]
enum Chosen {
    None,
    One(Partner),
    Several(Vec<PartnerSummary>),
}

fn choose(text: &str, mut found: Vec<PartnerSummary>) -> Chosen {
    let same = |one: &str| one.eq_ignore_ascii_case(text);
    let winner = found
        .iter()
        .position(|one| one.partner_id == text)
        .or_else(|| found.iter().position(|one| same(&one.domain)));
    let only = if found.len() == 1 { Some(0) } else { None };
    match winner.or(only) {
        Some(at) => {
            let partner = found.swap_remove(at);
            Chosen::One(Partner {
                id: partner.partner_id,
                name: partner.name,
            })
        }
        None if found.is_empty() => Chosen::None,
        None => Chosen::Several(found),
    }
}

fn candidates(partners: &[PartnerSummary]) -> String {
    let line =
        |one: &PartnerSummary| format!("  {}  {} ({})", one.partner_id, one.name, one.domain);
    partners.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn nobody(text: &str, near: &[PartnerSummary]) -> String {
    if near.is_empty() {
        return format!(
            "there is no partner with the identifier, domain or name \"{text}\"; \
             `tierline partners list --search TEXT` looks for one"
        );
    }
    format!(
        "there is no partner with the identifier, domain or name \"{text}\"; did you mean one of \
         these?\n{}",
        candidates(near)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner(id: &str, name: &str) -> PartnerSummary {
        PartnerSummary {
            partner_id: id.into(),
            name: name.into(),
            domain: format!("{id}.example"),
            ..Default::default()
        }
    }

    #[test]
    fn an_identifier_wins_over_a_domain_and_that_over_a_name() {
        let all = vec![partner("acme", "Bolt"), partner("bolt", "acme")];
        let Chosen::One(one) = choose("acme", all.clone()) else {
            panic!()
        };
        assert_eq!(one.id, "acme");
        let Chosen::One(one) = choose("BOLT.example", all) else {
            panic!()
        };
        assert_eq!(one.id, "bolt");
    }

    #[test]
    fn several_of_one_name_are_listed_to_choose_from() {
        let all = vec![partner("acme-1", "Acme"), partner("acme-2", "ACME")];
        let Chosen::Several(several) = choose("acme", all) else {
            panic!()
        };
        let text = candidates(&several);
        assert!(
            text.contains("acme-1") && text.contains("acme-2.example"),
            "{text}"
        );
        assert!(matches!(choose("acme", Vec::new()), Chosen::None));
    }

    #[test]
    fn a_wrong_name_gets_the_near_ones() {
        assert!(nobody("acm", &[partner("acme", "Acme")]).contains("did you mean"));
        assert!(nobody("acm", &[]).contains("partners list --search"));
    }

    #[test]
    fn a_name_cannot_leave_its_quotation_marks() {
        assert_eq!(quoted(r#"a" OR "\"#), r#""a\" OR \"\\""#);
    }
}
