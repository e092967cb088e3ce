//! Everything behind the read services in one process: log, sequencer, evaluator, projections and
//! a gRPC server behind the gate. Commands go straight to the runner.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgPool;
use tierline_bus::{Consumer, Options, Progress, SharedLog, Source, TIER_EVALUATOR, Waiter};
use tierline_domain::activity::{Deal, DealCommand, DealRecord, DealSource, DealState, RecordDeal};
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentCommand, TrackFacts};
use tierline_domain::partner::{
    CreatePartner, Partner, PartnerCommand, PartnerProfile, PartnerStatus, PartnerType, Person,
};
use tierline_domain::program::org::{ClockTime, CreateOrg, Org, OrgCommand};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, Publisher, program_from_yaml,
};
use tierline_domain::{
    Currency, DealId, EnrollmentId, Entity, Money, OrgId, PartnerId, ProgramId, StreamId, TierId,
    TrackId,
};
use tierline_eventstore::{
    AppendItem, Codec, CommandContext, EventStore, LogReader, NewEvent, Runner, Sequencer,
};
use tierline_proto::query::v1::application_query_service_client::ApplicationQueryServiceClient;
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::benefit_query_service_client::BenefitQueryServiceClient;
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tierline_proto::query::v1::program_query_service_client::ProgramQueryServiceClient;
use tierline_proto::query::v1::segment_query_service_client::SegmentQueryServiceClient;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_query::Query;
use tierline_rpc::auth::{LocalIssuer, TokenRequest, Verifier};
use tierline_rpc::{AuthLayer, Role, consistency};
use tierline_testkit::TestDatabase;
use tierline_tier_evaluator::Evaluator;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};

const PROGRAM: &str = include_str!("../../../../programs/three-tier-revenue.yaml");
pub const PROGRAM_ID: &str = "three-tier-revenue";

pub struct World {
    pub pool: PgPool,
    pub runner: Runner,
    issuer: LocalIssuer,
    channel: Channel,
    _stop: DropGuard,
    _database: TestDatabase,
}

/// Puts the token of a caller into each request.
#[derive(Clone)]
pub struct As(MetadataValue<Ascii>);

impl Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub type Client = InterceptedService<Channel, As>;

impl World {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(12).await;
        for migrations in [
            tierline_eventstore::MIGRATIONS,
            tierline_bus::MIGRATIONS,
            tierline_tier_evaluator::MIGRATIONS,
            tierline_projector::MIGRATIONS,
        ] {
            migrations.run(&pool).await.unwrap();
        }
        let store = EventStore::open(pool.clone());
        let stop = CancellationToken::new();
        let progress = run_consumers(&pool, &store, &stop);
        let issuer = LocalIssuer::generate("k", "https://issuer.example", "tierline");
        let waiter = Waiter::new(pool.clone(), Some(progress));
        let query = Query::new(pool.clone(), Codec::default(), waiter);
        let channel = serve(query, &issuer).await;
        let runner = Runner::new(store);
        Self {
            pool,
            runner,
            issuer,
            channel,
            _stop: stop.drop_guard(),
            _database: database,
        }
    }

    /// Runs a command; gives the consistency token of its last event.
    pub async fn run<A: Entity>(&self, org: &str, id: &str, command: A::Command) -> String
    where
        A::Command: Clone,
    {
        let org = OrgId::parse(org).unwrap();
        let stream = if id.is_empty() {
            StreamId::of_org(&org)
        } else {
            StreamId::new(&org, id)
        };
        let context = CommandContext::new(org, "user:ada");
        let done = self
            .runner
            .execute::<A, _>(&context, &stream, command, |_| Vec::new())
            .await
            .unwrap();
        consistency::encode(&done.outcome.unwrap().last_event.unwrap())
    }

    /// A sandbox org with the program.
    pub async fn org(&self, org: &str, clock: Date) -> String {
        let create = CreateOrg {
            org: OrgId::parse(org).unwrap(),
            name: org.to_owned(),
            time_zone: "UTC".to_owned(),
            fiscal_year_start: 1,
            base_currency: Currency::USD,
            sandbox_clock: Some(ClockTime::Date(clock)),
        };
        self.run::<Org>(org, "", OrgCommand::Create(create)).await;
        let apply = ApplyProgram {
            definition: Box::new(program_from_yaml(PROGRAM).unwrap()),
            effective_date: jiff::civil::date(2000, 1, 1),
            note: String::new(),
            transition: tierline_domain::program::Transition::Now,
            today: clock,
            publisher: Publisher::default(),
            library: tierline_domain::benefit::BenefitLibrary::default(),
        };
        self.run::<Program>(org, PROGRAM_ID, ProgramCommand::Apply(apply))
            .await
    }

    pub async fn partner(
        &self,
        org: &str,
        id: &str,
        change: impl FnOnce(&mut CreatePartner),
    ) -> String {
        let mut create = CreatePartner {
            partner: PartnerId::parse(id).unwrap(),
            profile: PartnerProfile::new(id, format!("{id}.example"), PartnerType::Reseller),
            status: PartnerStatus::Active,
            tags: Vec::new(),
            primary_contact: Person {
                first_name: "Ada".to_owned(),
                last_name: "Byron".to_owned(),
                email: format!("ada@{id}.example"),
                phone: None,
                title: None,
            },
        };
        change(&mut create);
        self.run::<Partner>(org, id, PartnerCommand::Create(Box::new(create)))
            .await
    }

    /// Enrolls a partner under the id `e-{partner}`.
    pub async fn enroll(&self, org: &str, partner: &str, start: Date) -> String {
        let tiers = ["gold", "silver", "bronze"].map(|tier| TierId::parse(tier).unwrap());
        let id = format!("e-{partner}");
        let enroll = Enroll {
            enrollment: EnrollmentId::parse(&*id).unwrap(),
            partner: PartnerId::parse(partner).unwrap(),
            program: ProgramId::parse(PROGRAM_ID).unwrap(),
            track: TrackId::parse("resell").unwrap(),
            start_date: start,
            end_date: None,
            placed_tier: None,
            primary_contact: None,
            today: start,
            partner_status: PartnerStatus::Active,
            track_facts: TrackFacts {
                archived: false,
                published: true,
                tiers: Some(tiers.to_vec()),
                ..TrackFacts::default()
            },
        };
        self.run::<Enrollment>(org, &id, EnrollmentCommand::Enroll(Box::new(enroll)))
            .await
    }

    /// Records a won deal in US dollars.
    pub async fn deal(
        &self,
        org: &str,
        partner: &str,
        id: &str,
        closed: Date,
        amount: &str,
    ) -> String {
        let mut record = DealRecord::new(id);
        record.state = DealState::Won;
        record.amount = Some(Money::parse(amount, "USD").unwrap());
        record.closed_date = Some(closed);
        record.registered_date = Some(closed);
        record.source = Some(DealSource::PartnerSourced);
        let record = RecordDeal {
            deal: DealId::parse(id).unwrap(),
            partner: PartnerId::parse(partner).unwrap(),
            record,
        };
        self.run::<Deal>(org, id, DealCommand::Record(Box::new(record)))
            .await
    }

    pub async fn clock_to(&self, org: &str, day: Date) -> String {
        let command = OrgCommand::AdvanceClock {
            to: ClockTime::Date(day),
        };
        self.run::<Org>(org, "", command).await
    }

    /// Appends an event that no release can read to a stream of a partner.
    pub async fn break_partner(&self, org: &str, partner: &str, version: u64) {
        let org = OrgId::parse(org).unwrap();
        let stream = StreamId::new(&org, partner);
        let broken = NewEvent {
            event_type: "tierline.partner.v1.PartnerTagged".to_owned(),
            event_version: "1.0".to_owned(),
            payload: r#"{"PartnerTagged":{"tags":7}}"#.to_owned(),
            metadata: "{}".into(),
        };
        let routing = tierline_domain::Routing::Partner(PartnerId::parse(partner).unwrap());
        let item = AppendItem::new("Partner", stream, org, &routing, version, vec![broken]);
        self.runner
            .store()
            .append_many(&[item])
            .await
            .remove(0)
            .unwrap();
    }

    fn token(&self, request: &TokenRequest) -> As {
        let token = self
            .issuer
            .token(request, Duration::from_secs(600))
            .unwrap();
        As(format!("Bearer {token}").parse().unwrap())
    }

    fn client(&self, org: &str, role: Role) -> Client {
        let token = self.token(&TokenRequest::new("ada", org, [role]));
        InterceptedService::new(self.channel.clone(), token)
    }

    pub fn partners(&self, org: &str) -> PartnerQueryServiceClient<Client> {
        PartnerQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn standings(&self, org: &str) -> StandingQueryServiceClient<Client> {
        StandingQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn programs(&self, org: &str) -> ProgramQueryServiceClient<Client> {
        ProgramQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn applications(&self, org: &str) -> ApplicationQueryServiceClient<Client> {
        ApplicationQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn segments(&self, org: &str) -> SegmentQueryServiceClient<Client> {
        SegmentQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn benefits(&self, org: &str) -> BenefitQueryServiceClient<Client> {
        BenefitQueryServiceClient::new(self.client(org, Role::Viewer))
    }

    pub fn audit(&self, org: &str) -> AuditServiceClient<Client> {
        AuditServiceClient::new(self.client(org, Role::Auditor))
    }

    pub fn operations(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.client("cell", Role::Operator))
    }

    /// A client for operators in the hands of somebody who is none.
    pub fn operations_as_viewer(&self, org: &str) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.client(org, Role::Viewer))
    }

    /// Clients of a person at a partner.
    pub fn contact_of(
        &self,
        org: &str,
        partner: &str,
    ) -> (
        PartnerQueryServiceClient<Client>,
        StandingQueryServiceClient<Client>,
    ) {
        let mut request = TokenRequest::new("bob", org, [Role::PartnerContact]);
        request.partner = Some(partner.to_owned());
        let service = InterceptedService::new(self.channel.clone(), self.token(&request));
        (
            PartnerQueryServiceClient::new(service.clone()),
            StandingQueryServiceClient::new(service),
        )
    }
}

/// Starts sequencer, evaluator and projections.
fn run_consumers(pool: &PgPool, store: &EventStore, stop: &CancellationToken) -> Arc<Progress> {
    let sequencer = Sequencer::new(pool.clone(), store.waker());
    let heads = sequencer.subscribe();
    let cancel = stop.clone();
    tokio::spawn(async move { sequencer.run(cancel).await });
    let progress = Arc::new(Progress::default());
    let evaluator = Evaluator::new(store.clone(), Arc::new(Timestamp::now));
    let log = SharedLog::new(LogReader::new(pool.clone()), Some(heads));
    let feed = log.feed();
    let consumer = Consumer::new(
        TIER_EVALUATOR,
        pool.clone(),
        feed,
        evaluator,
        Options::default(),
    )
    .reporting_to(Arc::clone(&progress));
    tokio::spawn(consumer.run(stop.clone()));
    let projections = tierline_projector::consumers(
        pool,
        &Source::Log(log.clone()),
        &progress,
        &Options::default(),
    );
    for projection in projections {
        tokio::spawn(projection.run(stop.clone()));
    }
    progress
}

async fn serve(query: Query, issuer: &LocalIssuer) -> Channel {
    let verifier = Arc::new(Verifier::new(&issuer.settings()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(AuthLayer::new(verifier))
        .add_service(query.partner_service())
        .add_service(query.program_service())
        .add_service(query.application_service())
        .add_service(query.segment_service())
        .add_service(query.benefit_service())
        .add_service(query.standing_service())
        .add_service(query.audit_service())
        .add_service(query.what_if_service())
        .add_service(query.operations_service())
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}
