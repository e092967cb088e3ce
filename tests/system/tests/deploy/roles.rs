//! Each target under its own account: the whole flow works, and nothing else does.

use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tierline_proto::activity::v1 as activity;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::common::v1::Money;
use tierline_proto::enrollment::v1 as enrollment;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::partner::v1 as partner;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::query::v1 as query;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_runtime::connections::{Budget, PoolSizes};
use tierline_runtime::targets::Target;
use tierline_testkit::{eventually, program};
use tonic::Code;

use crate::installation::{Installation, account, failed, root, succeeded};

const PATIENCE: Duration = Duration::from_secs(20);
/// PostgreSQL's code for "permission denied".
const DENIED: &str = "42501";

#[tokio::test(flavor = "multi_thread")]
async fn every_target_does_its_work_under_its_own_account_and_nothing_else() {
    let mut installation = Installation::new().await;
    a_schema_that_is_missing_is_named(&installation);
    let migrated = installation.migrate();
    assert!(
        migrated.contains("rights given to tl_program"),
        "{migrated}"
    );
    assert!(installation.migrate().contains("the schema is up to date"));
    for target in Target::ALL {
        installation.start(target);
    }
    a_deal_becomes_a_tier(&installation).await;
    operators_see_the_state(&installation).await;
    nobody_has_more_connections_than_its_budget(&installation).await;
    for target in Target::ALL {
        nobody_may_change_what_is_written(&installation, target).await;
    }
    each_keeps_to_its_own(&installation).await;
    read_models_are_rebuilt_by_the_owner_and_stay_readable(&installation).await;
    for target in Target::ALL {
        let complaints: Vec<_> = installation.log(target);
        let denied = |line: &&serde_json::Value| line.to_string().contains("permission denied");
        let complaint = complaints.iter().find(denied);
        assert!(complaint.is_none(), "{target}: {complaint:?}");
    }
}

/// A process that may not migrate says what is missing and who can mend it.
fn a_schema_that_is_missing_is_named(installation: &Installation) {
    let refused = failed(&mut installation.serve(Target::Partner));
    for part in [
        "eventstore/0001_log.sql",
        "tierline migrate",
        "migrate_on_start",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    let mut may = installation.serve(Target::Partner);
    let refused = failed(may.env("TIERLINE_MIGRATE_ON_START", "true"));
    assert!(refused.contains("permission denied"), "{refused}");
}

async fn a_deal_becomes_a_tier(installation: &Installation) {
    let programs = installation.channel(Target::Program).await;
    let org = program::CreateOrgRequest {
        name: "Acme".to_owned(),
        base_currency_code: "USD".to_owned(),
        ..Default::default()
    };
    OrgServiceClient::new(programs.clone())
        .create_org(installation.request(org))
        .await
        .unwrap();
    let yaml = std::fs::read_to_string(root().join("programs/three-tier-revenue.yaml")).unwrap();
    let apply = program::ApplyProgramRequest {
        content: Some(program::apply_program_request::Content::Yaml(yaml)),
        effective_date: "2020-01-01".to_owned(),
        ..Default::default()
    };
    ProgramServiceClient::new(programs)
        .apply_program(installation.request(apply))
        .await
        .unwrap();
    let create = partner::CreatePartnerRequest {
        partner_id: "nova".to_owned(),
        partner: Some(partner::Partner {
            name: "Nova".to_owned(),
            domain: "nova.example".to_owned(),
            partner_type: partner::PartnerType::Reseller.into(),
            ..Default::default()
        }),
        primary_contact: Some(partner::Contact {
            first_name: "Ada".to_owned(),
            last_name: "Byron".to_owned(),
            email: "ada@nova.example".to_owned(),
            ..Default::default()
        }),
        request_id: "a-request-of-the-test".to_owned(),
        ..Default::default()
    };
    PartnerServiceClient::new(installation.channel(Target::Partner).await)
        .create_partner(installation.request(create))
        .await
        .unwrap();
    let enroll = enrollment::EnrollPartnerRequest {
        partner_id: "nova".to_owned(),
        program_id: "three-tier-revenue".to_owned(),
        track_id: "resell".to_owned(),
        start_date: days_ago(700),
        ..Default::default()
    };
    EnrollmentServiceClient::new(installation.channel(Target::Enrollment).await)
        .enroll_partner(installation.request(enroll))
        .await
        .unwrap();
    let token = win_a_deal(installation).await;
    let ask = query::GetStandingRequest {
        subject: Some(Subject::PartnerId("nova".to_owned())),
        consistency_token: token,
        ..Default::default()
    };
    let answer = StandingQueryServiceClient::new(installation.channel(Target::Query).await)
        .get_standing(installation.request(ask))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.standings.len(), 1, "{answer:?}");
    assert_eq!(answer.standings[0].tier_name, "Gold", "{answer:?}");
}

async fn win_a_deal(installation: &Installation) -> String {
    let mut deals = DealServiceClient::new(installation.channel(Target::Activity).await);
    let register = activity::RegisterDealRequest {
        deal_id: "first".to_owned(),
        partner_id: "nova".to_owned(),
        name: "First deal".to_owned(),
        source: activity::DealSource::PartnerSourced.into(),
        registered_date: days_ago(300),
        amount: Some(Money {
            amount: "600000.00".to_owned(),
            currency_code: "USD".to_owned(),
        }),
        ..Default::default()
    };
    deals
        .register_deal(installation.request(register))
        .await
        .unwrap();
    let win = activity::WinDealRequest {
        deal_id: "first".to_owned(),
        closed_date: days_ago(210),
        ..Default::default()
    };
    let won = deals.win_deal(installation.request(win)).await.unwrap();
    won.into_inner().consistency_token
}

/// What the query service writes goes through two functions, and it sees old transactions of
/// other accounts.
async fn operators_see_the_state(installation: &Installation) {
    let mut operations = OperationsServiceClient::new(installation.channel(Target::Query).await);
    let mut idle = PgConnection::connect(&installation.cluster.url())
        .await
        .unwrap();
    idle.execute("BEGIN; SELECT txid_current()").await.unwrap();
    eventually(PATIENCE, "the open transaction is seen", async || {
        let asked = installation.request(query::GetStatusRequest {});
        let status = operations.get_status(asked).await.unwrap().into_inner();
        status.oldest_transaction_age_ms > 0
    })
    .await;
    idle.execute("ROLLBACK").await.unwrap();
    park(installation).await;
    let skip = query::SkipParkedRequest {
        consumer: "nobody-v1".to_owned(),
        partition: 3,
        number: 7,
        reason: "a test".to_owned(),
    };
    operations
        .skip_parked(installation.request(skip.clone()))
        .await
        .unwrap();
    let again = operations.skip_parked(installation.request(skip)).await;
    assert_eq!(again.unwrap_err().code(), Code::NotFound);
    let retry = query::RetryParkedRequest {
        consumer: "nobody-v1".to_owned(),
        routing_key: "acme/nova".to_owned(),
    };
    let retried = operations.retry_parked(installation.request(retry)).await;
    assert_eq!(retried.unwrap().into_inner().released_events, 1);
}

/// Two events of one partner, set aside by a consumer that does not exist.
async fn park(installation: &Installation) {
    let mut admin = PgConnection::connect(&installation.cluster.url())
        .await
        .unwrap();
    admin
        .execute(
            "INSERT INTO bus.parked (consumer, version, partition, partition_number, org_id,
                 routing_key, event_id, event_type, error)
             SELECT 'nobody', 1, 3, n, 'acme', 'acme/nova', gen_random_uuid(), 'x', 'broken'
             FROM generate_series(7, 8) n",
        )
        .await
        .unwrap();
}

async fn nobody_has_more_connections_than_its_budget(installation: &Installation) {
    let mut admin = PgConnection::connect(&installation.cluster.url())
        .await
        .unwrap();
    for target in Target::ALL {
        let open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
                .bind(account(target))
                .fetch_one(&mut admin)
                .await
                .unwrap();
        let alone = target.name().parse().unwrap();
        let budget = Budget::new(&alone, PoolSizes::default()).total();
        assert!(
            open > 0 && open <= i64::from(budget),
            "{target}: {open} of {budget}"
        );
    }
}

async fn refused(connection: &mut PgConnection, who: &str, sql: &str) {
    let error = match connection.execute(sql).await {
        Ok(_) => panic!("{who} could: {sql}"),
        Err(error) => error,
    };
    let code = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .map(|error| error.code().to_owned());
    assert_eq!(code.as_deref(), Some(DENIED), "{who}: {sql}: {error}");
}

async fn nobody_may_change_what_is_written(installation: &Installation, target: Target) {
    let who = account(target);
    let mut connection = PgConnection::connect(&installation.url(target))
        .await
        .unwrap();
    for sql in [
        "UPDATE events SET org_id = 'x'",
        "UPDATE events_0 SET org_id = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE log SET org_id = 'x'",
        "DELETE FROM log",
        "TRUNCATE log",
        "UPDATE log_epochs SET actor = 'x'",
        "INSERT INTO log_epochs (ordinal, begins_after, actor, reason) VALUES (9, 0, 'x', 'x')",
        "UPDATE receipts SET response = ''",
        "CREATE TABLE public.mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE TABLE read_build.mine (n int)",
        "CREATE TEMPORARY TABLE mine (n int)",
        "DELETE FROM schema_migrations",
        "DROP TRIGGER append_only ON events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TABLE read.partners",
        "SET ROLE tl_migrate",
        "CREATE ROLE mine",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY events TO PROGRAM 'cat'",
    ] {
        refused(&mut connection, &who, sql).await;
    }
    let own: Vec<&str> = match target {
        Target::Program => vec!["badges"],
        Target::TierEvaluator => vec!["eval"],
        Target::Projector => vec!["read"],
        Target::Query => vec!["read", "bus"],
        _ => vec![],
    };
    for (schema, sql) in [
        ("eval", "SELECT * FROM eval.facts"),
        ("read", "SELECT * FROM read.partners"),
        ("badges", "SELECT * FROM badges.images"),
    ] {
        if !own.contains(&schema) {
            refused(&mut connection, &who, sql).await;
        }
    }
    let others = Target::ALL
        .map(account)
        .into_iter()
        .filter(|one| *one != who);
    for other in others {
        refused(&mut connection, &who, &format!("SET ROLE {other}")).await;
    }
}

const APPEND: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
                      event_version, payload, metadata) VALUES ('TYPE', 'acme/x', 0, 'x', '1', \
                      '{}', '{}')";

async fn each_keeps_to_its_own(installation: &Installation) {
    let kinds = [
        (
            Target::Program,
            vec!["Org", "Program", "Rates", "Segment", "Benefit", "Keyring"],
        ),
        (Target::Partner, vec!["Partner"]),
        (Target::Enrollment, vec!["Enrollment"]),
        (Target::Activity, vec!["Deal", "Certification", "Record"]),
        (Target::Application, vec!["Form", "Submission"]),
        (Target::TierEvaluator, vec!["Standing", "Surroundings"]),
        (Target::Relay, vec![]),
        (Target::Projector, vec![]),
        (Target::Query, vec![]),
    ];
    for (target, own) in &kinds {
        let mut connection = PgConnection::connect(&installation.url(*target))
            .await
            .unwrap();
        for kind in kinds.iter().flat_map(|(_, kinds)| kinds) {
            let sql = APPEND.replace("TYPE", kind);
            if own.contains(kind) {
                let done = format!("BEGIN; {sql}; ROLLBACK");
                connection.execute(done.as_str()).await.unwrap();
            } else {
                refused(&mut connection, &account(*target), &sql).await;
            }
        }
    }
    let denied = [
        (Target::Query, "SELECT * FROM receipts"),
        (Target::Query, "SELECT * FROM claims"),
        (Target::Query, "SELECT * FROM eval.facts"),
        (Target::Query, "UPDATE bus.parked SET retry = true"),
        (Target::Query, "DELETE FROM bus.parked"),
        (
            Target::Query,
            "INSERT INTO bus.given_up SELECT * FROM bus.given_up",
        ),
        (Target::Query, "UPDATE bus.checkpoints SET number = 0"),
        (Target::Query, "DELETE FROM read.partners"),
        (Target::Query, "UPDATE read.standings SET tier = 'gold'"),
        (Target::Query, "DELETE FROM outbox"),
        (Target::Query, "SELECT nextval('outbox_id')"),
        (Target::Query, "SELECT * FROM sequence_outbox(1)"),
        (Target::Projector, "DELETE FROM read.partners"),
        (Target::Projector, "INSERT INTO log SELECT * FROM log"),
        (Target::Projector, "SELECT * FROM receipts"),
        (Target::Projector, "SELECT bus.retry_parked('a', 1, 'b')"),
        (Target::Relay, "SELECT * FROM claims"),
        (Target::Relay, "INSERT INTO outbox SELECT * FROM outbox"),
        (Target::Partner, "SELECT * FROM log"),
        (Target::Partner, "SELECT * FROM outbox"),
        (Target::Partner, "SELECT * FROM bus.parked"),
        (Target::Partner, "SELECT refresh_statistics('events')"),
        (Target::TierEvaluator, "SELECT * FROM receipts"),
        (Target::TierEvaluator, "DELETE FROM eval.facts"),
        (Target::Enrollment, "UPDATE sequencer SET position = 0"),
    ];
    for (target, sql) in denied {
        let mut connection = PgConnection::connect(&installation.url(target))
            .await
            .unwrap();
        refused(&mut connection, &account(target), sql).await;
    }
}

/// A table that the owner built anew is filled and read by the same accounts as the old one.
async fn read_models_are_rebuilt_by_the_owner_and_stay_readable(installation: &Installation) {
    let rebuild = |account: &str| {
        let mut command = installation.command(&["rebuild", "all"]);
        command.env("TIERLINE_DATABASE_URL_FILE", installation.secret(account));
        command
    };
    let said = failed(&mut rebuild("tl_projector"));
    assert!(said.contains("may not make tables"), "{said}");
    let said = succeeded(&mut rebuild("tl_migrate"));
    assert!(said.contains("rebuilt partners"), "{said}");
    // The projector goes on with the new tables: another deal is seen.
    let mut deals = DealServiceClient::new(installation.channel(Target::Activity).await);
    let lose = activity::ReverseDealRequest {
        deal_id: "first".to_owned(),
        reason: "returned".to_owned(),
        ..Default::default()
    };
    let lost = deals
        .reverse_deal(installation.request(lose))
        .await
        .unwrap();
    let ask = query::GetStandingRequest {
        subject: Some(Subject::PartnerId("nova".to_owned())),
        consistency_token: lost.into_inner().consistency_token,
        ..Default::default()
    };
    let mut standings = StandingQueryServiceClient::new(installation.channel(Target::Query).await);
    eventually(PATIENCE, "the reversal is seen", async || {
        let asked = installation.request(ask.clone());
        standings.get_standing(asked).await.is_ok()
    })
    .await;
}

fn days_ago(days: i64) -> String {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    (today - jiff::Span::new().days(days)).to_string()
}

/// Where there is neither `tierline up` nor an identity provider.
#[test]
fn a_key_is_made_once_and_signs_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    let command = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program());
        command
            .args(arguments)
            .env("TIERLINE_DATA_DIR", folder.path().join("data"));
        succeeded(&mut command)
    };
    let file = jwks.display().to_string();
    command(&["token", "key", "--jwks", &file]);
    let first = std::fs::read_to_string(&jwks).unwrap();
    command(&["token", "key", "--jwks", &file]);
    assert_eq!(std::fs::read_to_string(&jwks).unwrap(), first);
    let token = command(&["--org", "acme", "token", "create", "--role", "viewer"]);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}
