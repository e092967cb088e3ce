//! What is written stays written.

use crate::account::{Account, open};
use crate::{World, context, stream};

const TABLES: [&str; 10] = [
    "log", "events", "events_0", "events_1", "events_2", "events_3", "events_4", "events_5",
    "events_6", "events_7",
];

async fn world() -> World {
    let world = World::new().await;
    let respond = |_: &_| Vec::new();
    let id = stream("a");
    world
        .runner
        .execute::<Account, _>(&context(), &id, open("p", "a.example"), respond)
        .await
        .unwrap();
    world.sequencer.drain().await.unwrap();
    world
}

#[tokio::test]
async fn events_and_log_cannot_be_changed_even_by_a_superuser() {
    let world = world().await;
    let mut connection = world.pool.acquire().await.unwrap();
    for role in ["origin", "replica"] {
        let sql = format!("SET session_replication_role = {role}");
        sqlx::query(&sql).execute(&mut *connection).await.unwrap();
        for table in TABLES {
            for sql in [
                format!("UPDATE {table} SET org_id = 'x'"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table} CASCADE"),
            ] {
                let error = sqlx::query(&sql)
                    .execute(&mut *connection)
                    .await
                    .unwrap_err();
                let error = error.into_database_error().unwrap();
                assert_eq!(error.code().as_deref(), Some("23001"), "{sql}: {error}");
            }
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM events").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM log").await, 1);
}

#[tokio::test]
async fn nobody_has_the_privilege_to_change_events_or_log() {
    let world = world().await;
    for table in TABLES {
        let sql = format!(
            "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{table}'::regclass
             AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')"
        );
        assert_eq!(world.count(&sql).await, 0, "{table}");
        let sql = format!(
            "SELECT count(*) FROM pg_class WHERE oid = '{table}'::regclass AND relacl IS NOT NULL"
        );
        assert_eq!(world.count(&sql).await, 1, "{table} has default privileges");
    }
}
