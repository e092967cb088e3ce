//! Two orgs on one node, each with the same things under names of its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tierline_rpc::Role;
use tonic::transport::Channel;

use crate::call::{Answer, call, message, method};
use crate::examples::{EXAMPLES, WORLD};
use crate::node::Node;

/// How long the evaluator and the projections may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node with the orgs `a` and `b`.
pub struct World {
    /// The process.
    pub node: Node,
    /// A connection to it.
    pub channel: Channel,
    /// Identifiers of API keys, by name.
    keys: Mutex<BTreeMap<String, String>>,
}

/// An API key as it was shown.
pub struct Key {
    /// Its identifier.
    pub id: String,
    /// Its text; empty where it was not shown.
    pub secret: String,
}

impl Key {
    /// The key in an answer.
    pub fn shown_in(answer: &Answer) -> Self {
        let message = &answer.messages[0];
        let key = message.get_field_by_name("api_key").unwrap();
        let id = key
            .as_message()
            .unwrap()
            .get_field_by_name("key_id")
            .unwrap();
        let secret = message.get_field_by_name("secret").unwrap();
        Self {
            id: id.as_str().unwrap().to_owned(),
            secret: secret.as_str().unwrap().to_owned(),
        }
    }
}

impl World {
    /// Starts a node and fills both orgs.
    pub async fn start() -> Self {
        let node = Node::start().await;
        let channel = node.connect().await;
        let keys = Mutex::default();
        let world = Self {
            node,
            channel,
            keys,
        };
        for org in ["a", "b"] {
            world.fill(org).await;
        }
        world
    }

    async fn fill(&self, org: &str) {
        let admin = self.node.token(org, Role::Admin, None);
        let given = EXAMPLES.iter().flat_map(|example| example.given);
        for (name, request) in WORLD.iter().chain(given) {
            let answer = self.ask(Some(&admin), name, request, org).await;
            assert_eq!(answer.code(), "OK", "{name} {request}\n{}", answer.text());
            self.remember_key(&answer);
        }
        // Commands on recommendations and all reading need what follows from the above.
        for enrollment in ["e", "e-other", "risen", "kept", "pinned", "ended"] {
            self.wait_for_standing(&admin, org, enrollment).await;
        }
    }

    fn remember_key(&self, answer: &Answer) {
        for message in &answer.messages {
            if let Some(submission) = message.get_field_by_name("submission") {
                let text = |field| {
                    let value = submission.as_message()?.get_field_by_name(field)?;
                    value.as_str().map(str::to_owned)
                };
                let (form, id) = (text("form_id").unwrap(), text("submission_id").unwrap());
                self.keys.lock().unwrap().insert(form, id);
            }
            let Some(key) = message.get_field_by_name("api_key") else {
                continue;
            };
            let text = |field| {
                key.as_message()?
                    .get_field_by_name(field)?
                    .as_str()
                    .map(str::to_owned)
            };
            let (name, id) = (text("name").unwrap(), text("key_id").unwrap());
            self.keys.lock().unwrap().insert(name, id);
        }
    }

    /// A request as it is sent.
    fn filled_in(&self, request: &str, prefix: &str) -> String {
        let mut text = request.replace('$', prefix);
        for (name, id) in self.keys.lock().unwrap().iter() {
            text = text.replace(&format!("<{name}>"), id);
        }
        text.replace(['<', '>'], "")
    }

    /// A text with the names of API keys instead of their identifiers.
    pub fn with_names(&self, text: &str) -> String {
        let keys = self.keys.lock().unwrap();
        let named = |text: String, (name, id): (&String, &String)| text.replace(id.as_str(), name);
        keys.iter().fold(text.to_owned(), named)
    }

    async fn wait_for_standing(&self, token: &str, org: &str, enrollment: &str) {
        let name = "tierline.query.v1.StandingQueryService/GetStanding";
        let request = format!("enrollment_id: \"$-{enrollment}\"");
        let wanted = if enrollment == "e-other" {
            "tier_id:\"member\""
        } else {
            "recommendation"
        };
        let what = format!("{wanted} in the standing of {org}-{enrollment}");
        tierline_testkit::eventually(PATIENCE, &what, async || {
            let answer = self.ask(Some(token), name, &request, org).await;
            answer.text().contains(wanted)
        })
        .await;
    }

    /// Sends a request; `$` in it becomes `prefix`.
    pub async fn ask(
        &self,
        token: Option<&str>,
        name: &str,
        request: &str,
        prefix: &str,
    ) -> Answer {
        let method = method(name);
        let request = self.filled_in(request, prefix);
        let body = prost::Message::encode_to_vec(&message(&method.input(), &request));
        call(&self.channel, token, &method, vec![body]).await
    }

    /// Creates an API key.
    pub async fn new_key(&self, token: &str, request: &str) -> Key {
        let name = "tierline.access.v1.ApiKeyService/CreateApiKey";
        let answer = self.ask(Some(token), name, request, "a").await;
        assert_eq!(answer.code(), "OK", "{}", answer.text());
        Key::shown_in(&answer)
    }

    /// Sends bytes that are no request.
    pub async fn ask_nonsense(&self, token: &str, name: &str) -> Answer {
        let nonsense = vec![0xff, 0xff, 0xff, 0xff];
        call(&self.channel, Some(token), &method(name), vec![nonsense]).await
    }
}
