//! Two orgs on one node, each with the same things under names of its own.

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
}

impl World {
    /// Starts a node and fills both orgs.
    pub async fn start() -> Self {
        let node = Node::start().await;
        let channel = node.connect().await;
        let world = Self { node, channel };
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
        }
        // Commands on recommendations and all reading need what follows from the above.
        for enrollment in ["e", "e-other", "risen", "kept", "pinned", "ended"] {
            self.wait_for_standing(&admin, org, enrollment).await;
        }
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
        let request = request.replace('$', prefix);
        let body = prost::Message::encode_to_vec(&message(&method.input(), &request));
        call(&self.channel, token, &method, vec![body]).await
    }

    /// Sends bytes that are no request.
    pub async fn ask_nonsense(&self, token: &str, name: &str) -> Answer {
        let nonsense = vec![0xff, 0xff, 0xff, 0xff];
        call(&self.channel, Some(token), &method(name), vec![nonsense]).await
    }
}
