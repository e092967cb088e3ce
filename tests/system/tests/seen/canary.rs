//! Secrets and personal values are in no log line and in no trace, at any level.

use std::time::Duration;

use sqlx::Connection;
use tierline_proto::partner::v1::Contact;
use tierline_testkit::otlp::TraceReceiver;
use tierline_testkit::{Canary, TestDatabase, eventually, leaks};
use tonic::Code;

use crate::calls::Caller;
use crate::program::Program;

/// Everything that any library has to say.
const LOUDEST: &str = "trace,sqlx=trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,\
                       tower=trace,rustls=trace,opentelemetry=trace";

const PASSWORD: &str = "canary-of-the-database-41f7";
const HEADER: &str = "canary-of-the-receiver-9c02";
const FORGED: &str = "canary-of-a-wrong-token-77aa";

fn contact() -> Contact {
    Contact {
        first_name: "Canarinda-Ophelia".to_owned(),
        last_name: "Quintessenza-Vogel".to_owned(),
        email: "canarinda.vogel@private-canary.example".to_owned(),
        phone: "+49 170 5550142 77".to_owned(),
        title: "Keeper of rare canaries".to_owned(),
        ..Contact::default()
    }
}

fn canaries(token: &str) -> Vec<Canary> {
    let contact = contact();
    let (_, signature) = token.rsplit_once('.').unwrap();
    vec![
        Canary::new("password of the database", PASSWORD),
        Canary::new("header for the receiver of traces", HEADER),
        Canary::new("a wrong token", FORGED),
        Canary::new("signature of a token", signature),
        Canary::new("first name of a contact", contact.first_name),
        Canary::new("last name of a contact", contact.last_name),
        Canary::new("e-mail of a contact", contact.email),
        Canary::new("phone of a contact", contact.phone),
        Canary::new("title of a contact", contact.title),
        Canary::new("a malformed e-mail", "canary-without-a-domain@"),
    ]
}

/// A superuser of its own, since the password has to be one that we know to look for.
async fn with_password(database: &TestDatabase) -> (String, String) {
    let mut connection = database.connect().await;
    let role = format!("canary_{}", std::process::id());
    let sql = format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
    sqlx::raw_sql(&sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let url = database.url();
    let (_, place) = url.split_once('@').unwrap();
    (format!("postgres://{role}:{PASSWORD}@{place}"), role)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_nothing_personal_reaches_logs_or_traces() {
    let receiver = TraceReceiver::start().await;
    let database = TestDatabase::create().await;
    let (url, role) = with_password(&database).await;
    let server = Program::start_with(&[
        ("TIERLINE_DATABASE_URL", url),
        ("TIERLINE_OTLP_ENDPOINT", receiver.endpoint()),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("authorization={HEADER}"),
        ),
        ("TIERLINE_LOG_FORMAT", "json".to_owned()),
        ("TIERLINE_LOG_LEVEL", LOUDEST.to_owned()),
    ]);
    let mut caller = Caller::in_new_org(&server, "aviary").await;
    use_everything(&caller).await;
    fail_inside(&caller, &database).await;
    let token = std::mem::replace(&mut caller.token, FORGED.to_owned());
    let refused = caller
        .register("nest", "third", "2026-01-10")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let what = "the traces of the calls";
    eventually(Duration::from_secs(30), what, async || {
        let spans = receiver.spans();
        let seen = |part: &str| spans.iter().any(|span| span.name.contains(part));
        seen("CreatePartner") && seen("WinDeal") && seen("decide Standing")
    })
    .await;
    let log = server.log();
    for talker in ["sqlx", "h2", "tierline"] {
        assert!(
            log.contains(&format!("\"target\":\"{talker}")),
            "{talker} says nothing"
        );
    }
    let canaries = canaries(&token);
    let found = leaks(&canaries, log.as_bytes());
    assert!(found.is_empty(), "in the log:\n{}", found.join("\n\n"));
    let found = leaks(&canaries, &receiver.bytes());
    assert!(found.is_empty(), "in the traces:\n{}", found.join("\n\n"));

    drop(server);
    let mut connection = database.connect().await;
    let sql = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
    sqlx::raw_sql(&sql).execute(&mut connection).await.unwrap();
}

/// Calls that succeed and calls that are refused.
async fn use_everything(caller: &Caller) {
    caller.partner("nest", contact()).await.unwrap();
    let again = caller.partner("nest", contact()).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists, "{again}");
    let malformed = Contact {
        email: "canary-without-a-domain@".to_owned(),
        ..contact()
    };
    let refused = caller.partner("hatch", malformed).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    caller
        .register("nest", "first", "2026-01-10")
        .await
        .unwrap();
    let tier = caller.win("nest", "first", "2026-02-10", None).await;
    assert_eq!(tier.unwrap(), "Gold");
}

/// The database refuses an insert, and says which row it was.
async fn fail_inside(caller: &Caller, database: &TestDatabase) {
    let pool = database.pool(1).await;
    let refuse = "ALTER TABLE events ADD CONSTRAINT nothing_more CHECK (false) NOT VALID";
    sqlx::raw_sql(refuse).execute(&pool).await.unwrap();
    let failed = caller.partner("brood", contact()).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal, "{failed}");
    let allow = "ALTER TABLE events DROP CONSTRAINT nothing_more";
    sqlx::raw_sql(allow).execute(&pool).await.unwrap();
}
