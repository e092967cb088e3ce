//! A server for the tests of a service: a database of its own, the real gate, a real connection.
//!
//! Like the test kit it panics when the surroundings are not as a
//! test needs them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test fails by it"
)]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tierline_domain::partner::{
    CreatePartner, Partner, PartnerCommand, PartnerProfile, PartnerStatus, PartnerType, Person,
};
use tierline_domain::program::org::{ClockTime, CreateOrg, Org, OrgCommand};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, ProgramDefinition, Publisher, program_from_yaml,
};
use tierline_domain::{Currency, Decider, OrgId, PartnerId, StreamId};
use tierline_eventstore::{
    AppendItem, CommandContext, CommandError, EventStore, MIGRATIONS, Outcome, Runner,
};
use tierline_testkit::TestDatabase;
use tokio::sync::oneshot;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_rpc::{AuthLayer, Commands, OrgClock, Role, Verifier};

/// The instant at which it is always now in a test.
pub const NOW: &str = "2026-03-31T10:00:00Z";
/// The business date of [`NOW`] in an org in UTC.
pub const TODAY: &str = "2026-03-31";

/// A running server.
pub struct TestServer {
    /// What its services work with.
    pub commands: Commands,
    channel: Channel,
    issuer: LocalIssuer,
    stop: Option<oneshot::Sender<()>>,
    database: TestDatabase,
}

/// Puts a token on every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<tonic::metadata::Ascii>>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A connection of a caller.
pub type Connection = InterceptedService<Channel, Bearer>;

impl TestServer {
    /// Starts the services on an empty database. The pool has two connections, so that whoever
    /// holds one while asking for a second is found out.
    pub async fn start(services: impl FnOnce(Commands) -> Routes) -> Self {
        let database = TestDatabase::create().await;
        let pool = tierline_eventstore::connect(&database.url(), 2)
            .await
            .expect("a pool");
        MIGRATIONS
            .run(&pool)
            .await
            .expect("the schema of the event store");
        let runner = Runner::new(EventStore::open(pool));
        let now: Timestamp = NOW.parse().expect("an instant");
        let clock = OrgClock::with_real_time(runner.store().clone(), Arc::new(move || now));
        let commands = Commands::with_clock(runner, clock);
        let issuer = LocalIssuer::generate("k", "https://issuer.example", "tierline");
        let verifier = Arc::new(Verifier::new(&issuer.settings()).expect("a verifier"));
        let address = "127.0.0.1:0".parse().expect("an address");
        let incoming = TcpIncoming::bind(address).expect("a free port");
        let address = incoming.local_addr().expect("a bound port");
        let (stop, stopped) = oneshot::channel();
        let server = Server::builder()
            .layer(AuthLayer::new(verifier))
            .add_routes(services(commands.clone()))
            .serve_with_incoming_shutdown(incoming, async {
                stopped.await.ok();
            });
        tokio::spawn(server);
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
        let channel = channel.connect().await.expect("a connection");
        Self {
            commands,
            channel,
            issuer,
            stop: Some(stop),
            database,
        }
    }

    /// A connection of somebody of the org `acme` with a role.
    pub fn caller(&self, role: Role) -> Connection {
        self.caller_of("acme", role)
    }

    /// A connection of somebody of an org with a role.
    pub fn caller_of(&self, org: &str, role: Role) -> Connection {
        let request = TokenRequest::new("ada", org, [role]);
        let token = self
            .issuer
            .token(&request, Duration::from_secs(600))
            .expect("a token");
        let token = format!("Bearer {token}").parse().expect("a header");
        InterceptedService::new(self.channel.clone(), Bearer(Some(token)))
    }

    /// A connection without a token.
    pub fn stranger(&self) -> Connection {
        InterceptedService::new(self.channel.clone(), Bearer(None))
    }

    /// Creates the org `acme`, in UTC and real time.
    pub async fn org(&self) {
        self.create_org(None).await;
    }

    /// Creates the org `acme` as a sandbox whose clock begins on a date.
    pub async fn sandbox(&self, start: &str) {
        let start = start.parse().expect("a date");
        self.create_org(Some(ClockTime::Date(start))).await;
    }

    async fn create_org(&self, sandbox_clock: Option<ClockTime>) {
        let command = OrgCommand::Create(CreateOrg {
            org: acme(),
            name: "Acme".to_owned(),
            time_zone: "UTC".to_owned(),
            fiscal_year_start: 1,
            base_currency: Currency::EUR,
            sandbox_clock,
        });
        self.run::<Org>(&StreamId::of_org(&acme()), command)
            .await
            .expect("an org");
    }

    /// Creates an active partner in `acme`.
    pub async fn partner(&self, id: &str) {
        let create = CreatePartner {
            partner: PartnerId::parse(id).expect("an identifier"),
            profile: PartnerProfile::new(id, format!("{id}.example"), PartnerType::Reseller),
            status: PartnerStatus::Active,
            tags: Vec::new(),
            primary_contact: Person {
                first_name: "Pat".to_owned(),
                last_name: "Tern".to_owned(),
                email: format!("pat@{id}.example"),
                phone: None,
                title: None,
            },
        };
        let stream = StreamId::new(&acme(), id);
        let command = PartnerCommand::Create(Box::new(create));
        self.run::<Partner>(&stream, command)
            .await
            .expect("a partner");
    }

    /// Publishes a program in `acme`, in force since a date.
    pub async fn program(&self, yaml: &str, since: &str) {
        let definition: ProgramDefinition = program_from_yaml(yaml).expect("a program");
        let stream = StreamId::new(&acme(), &definition.slug);
        let command = ProgramCommand::Apply(ApplyProgram {
            definition: Box::new(definition),
            effective_date: since.parse().expect("a date"),
            note: String::new(),
            transition: tierline_domain::program::Transition::Now,
            today: TODAY.parse().expect("a date"),
            publisher: Publisher::default(),
            library: tierline_domain::benefit::BenefitLibrary::default(),
        });
        self.run::<Program>(&stream, command)
            .await
            .expect("a program");
    }

    /// Runs a command of the domain in `acme`.
    pub async fn run<A>(
        &self,
        stream: &StreamId,
        command: <A as tierline_domain::Decide>::Command,
    ) -> Result<Outcome<A>, CommandError>
    where
        A: Decider,
        <A as tierline_domain::Decide>::Command: Clone,
    {
        let context = CommandContext::new(acme(), "user:test");
        let done = self
            .commands
            .runner()
            .execute(&context, stream, command, |_| Vec::new())
            .await;
        done.map(|committed| committed.outcome.expect("a fresh outcome"))
    }

    /// Appends events that no command of a service leads to.
    pub async fn append<A: Decider>(
        &self,
        stream: &StreamId,
        routing: &tierline_domain::Routing,
        events: &[<A as tierline_domain::Decide>::Event],
    ) {
        let metadata = CommandContext::new(acme(), "service:test").metadata();
        let loaded = self
            .commands
            .store()
            .load::<A>(stream)
            .await
            .expect("a stream");
        let version = loaded.version;
        let item = AppendItem::of::<A>(stream.clone(), acme(), routing, version, events, &metadata);
        let outcome = self
            .commands
            .store()
            .append_many(&[item.expect("events")])
            .await;
        assert!(outcome.iter().all(Result::is_ok), "{outcome:?}");
    }

    /// How many events are stored.
    pub async fn events(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM events");
        count
            .fetch_one(self.commands.store().pool())
            .await
            .expect("a count")
    }

    /// A value out of the metadata of the last event.
    pub async fn last_metadata(&self, name: &str) -> Option<String> {
        let query = "SELECT metadata->>$1 FROM events ORDER BY recorded_at DESC, sequence DESC";
        let value = sqlx::query_scalar(query).bind(name);
        value
            .fetch_one(self.commands.store().pool())
            .await
            .expect("an event")
    }

    /// The database, for what a test looks up by itself.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }
}

/// The org of the tests.
pub fn acme() -> OrgId {
    OrgId::parse("acme").expect("an identifier")
}

/// What a caller learns of a refusal: its code, its reason and the fields, in their order.
pub fn refusal(status: &Status) -> (tonic::Code, String, Vec<String>) {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.clone());
    let fields = violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field);
    (status.code(), info.reason.clone(), fields.collect())
}

/// Asserts that a call was refused for a reason.
///
/// # Panics
/// When it was not.
pub fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: tonic::Code,
    reason: &str,
) -> Vec<String> {
    let status = answer.expect_err("a refusal");
    let (found, text, fields) = refusal(&status);
    assert_eq!((found, text.as_str()), (code, reason), "{status:?}");
    fields
}
