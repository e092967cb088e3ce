//! The sequencer of another process is woken by what is appended here.

use std::sync::Arc;
use std::time::Duration;

use tierline_eventstore::bell;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::account::{Account, AccountCommand, open};
use crate::{PATIENCE, World, context, stream};

#[tokio::test]
async fn what_one_process_appends_wakes_the_sequencer_of_another() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let wake = Arc::new(Notify::new());
    let listen = bell::listen(world.pool.clone(), Arc::clone(&wake), stop.clone());
    let ring = bell::ring(world.pool.clone(), world.store.waker(), stop.clone());
    let (listen, ring) = (tokio::spawn(listen), tokio::spawn(ring));
    let deposit = async |command| {
        let respond = |_: &_| Vec::new();
        let (context, stream) = (context(), stream("a"));
        let done = world
            .runner
            .execute::<Account, _>(&context, &stream, command, respond);
        done.await.unwrap();
    };
    assert!(
        timeout(Duration::from_millis(200), wake.notified())
            .await
            .is_err(),
        "nothing was appended yet"
    );
    deposit(open("p", "a.example")).await;
    // The first may come before the other listens.
    let heard = timeout(PATIENCE, async {
        while timeout(Duration::from_millis(100), wake.notified())
            .await
            .is_err()
        {
            deposit(AccountCommand::Deposit(1)).await;
        }
    });
    heard.await.expect("no ring was heard");

    // Nothing is heard over a connection that was lost; it is made anew.
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE 'LISTEN%' AND datname = current_database()",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let heard = timeout(PATIENCE, async {
        for _ in 0..2 {
            while timeout(Duration::from_millis(100), wake.notified())
                .await
                .is_err()
            {
                deposit(AccountCommand::Deposit(1)).await;
            }
        }
    });
    heard
        .await
        .expect("no ring was heard after the connection was lost");
    stop.cancel();
    listen.await.unwrap();
    ring.await.unwrap();
}
