//! The embedded PostgreSQL, for real: started, stopped, killed, left behind, and started again; as
//! whoever runs the tests, and as an ordinary user where that is root.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tierline_runtime::data_dir::{DataDir, LockedDataDir, is_root};
use tierline_runtime::postgres::{EmbeddedPostgres, PostgresError, PostgresOptions, Stopped};

const STOP: Duration = Duration::from_secs(20);
/// Set for the child processes of these tests: the data folder that they work on.
const CHILD_DATA: &str = "EMBEDDED_TEST_DATA_DIR";
const NOBODY: u32 = 65_534;

/// A temporary folder that other accounts may pass through, as `/var/lib` is.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn open(folder: &Path) -> LockedDataDir {
    DataDir::open(&folder.join("data")).unwrap().lock().unwrap()
}

fn durable() -> PostgresOptions {
    PostgresOptions::default()
}

fn throwaway() -> PostgresOptions {
    PostgresOptions {
        throwaway: true,
        ..PostgresOptions::default()
    }
}

async fn execute(server: &EmbeddedPostgres, sql: &str) {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn count(server: &EmbeddedPostgres) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM kept")
        .fetch_one(&mut connection)
        .await;
    connection.close().await.unwrap();
    count.unwrap()
}

#[tokio::test]
async fn data_survives_stop_and_start_and_the_second_start_is_quick() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &durable()).await.unwrap();
    let (port, url) = (server.port(), server.url());
    execute(
        &server,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1), (2)",
    )
    .await;
    assert_eq!(server.stop(STOP).await.unwrap(), Stopped::Clean);

    let begin = Instant::now();
    let server = EmbeddedPostgres::start(&data, &durable()).await.unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "took {:?}",
        begin.elapsed()
    );
    assert_eq!(
        (server.port(), server.url()),
        (port, url),
        "port and password are kept"
    );
    assert_eq!(count(&server).await, 2);
    assert!(
        server
            .server_version()
            .starts_with(&server.binaries().major.to_string())
    );
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn the_server_stores_utf8_in_c_order_and_waits_for_the_disk() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &durable()).await.unwrap();
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let settings: (String, String, String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_encoding'), datcollate, current_setting('fsync'), \
         current_setting('listen_addresses'), current_setting('password_encryption') \
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let expected = ["UTF8", "C", "on", "127.0.0.1", "scram-sha-256"].map(str::to_owned);
    assert_eq!(<[String; 5]>::from(settings), expected);
    connection.close().await.unwrap();
    let mode = fs::metadata(data.postgres_password())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let without_password = format!("postgres://tierline@127.0.0.1:{}/tierline", server.port());
    assert!(PgConnection::connect(&without_password).await.is_err());
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_recovers_what_was_committed() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    execute(
        &server,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)",
    )
    .await;
    let ended = server.ended();
    server.crash().await.unwrap();
    tokio::time::timeout(STOP, ended)
        .await
        .expect("the end is noticed");

    let begin = Instant::now();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "took {:?}",
        begin.elapsed()
    );
    assert_eq!(count(&server).await, 1);
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_server_left_behind_by_a_killed_process_is_replaced() {
    let folder = folder();
    let path = folder.path().join("data");
    let mut child = child("child_holds_a_server", &path).spawn().unwrap();
    let ready = path.join("tokens");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready.exists() {
        assert!(Instant::now() < deadline, "the child did not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = DataDir::open(&path)
        .unwrap()
        .lock()
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&format!("process {}", child.id())),
        "{refused}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let orphan = postmaster(&path);
    assert!(
        Path::new(&format!("/proc/{orphan}")).exists(),
        "it outlives its parent"
    );

    let data = open(folder.path());
    let begin = Instant::now();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "took {:?}",
        begin.elapsed()
    );
    assert_ne!(server.pid(), orphan);
    assert_eq!(count(&server).await, 1);
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_does_not_stop_the_start() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    server.crash().await.unwrap();
    let pid_file = data.postgres().join("postmaster.pid");
    let text = fs::read_to_string(&pid_file).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    // This test is alive and is no PostgreSQL.
    fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_port_that_somebody_else_took_is_replaced_by_a_free_one() {
    let folder = folder();
    let data = open(folder.path());
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = squatter.local_addr().unwrap().port();
    fs::write(data.postgres_port(), taken.to_string()).unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    assert_ne!(server.port(), taken);
    let remembered = fs::read_to_string(data.postgres_port()).unwrap();
    assert_eq!(remembered.trim(), server.port().to_string());
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn the_server_never_runs_as_root_and_owns_its_own_folder_only() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    let process = fs::metadata(format!("/proc/{}", server.pid()))
        .unwrap()
        .uid();
    assert_ne!(process, 0);
    assert_eq!(fs::metadata(data.postgres()).unwrap().uid(), process);
    let caller = fs::metadata(folder.path()).unwrap().uid();
    assert_eq!(fs::metadata(data.path()).unwrap().uid(), caller);
    assert_eq!(
        fs::metadata(data.postgres_password()).unwrap().uid(),
        caller
    );
    assert_eq!(
        fs::metadata(data.postgres()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let folder = folder();
    let data = open(folder.path());
    let half = data.path().join("postgres.new");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15").unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    assert!(!half.exists());
    server.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn a_lost_password_and_a_wrong_one_are_named_with_their_file() {
    let folder = folder();
    let data = open(folder.path());
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    server.stop(STOP).await.unwrap();
    fs::write(data.postgres_password(), "wrong").unwrap();
    let error = EmbeddedPostgres::start(&data, &throwaway())
        .await
        .unwrap_err();
    assert!(matches!(error, PostgresError::WrongPassword(_)), "{error}");
    fs::remove_file(data.postgres_password()).unwrap();
    let error = EmbeddedPostgres::start(&data, &throwaway())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("postgres-password"), "{error}");
}

#[tokio::test]
async fn a_setting_that_the_server_refuses_is_shown_from_its_log() {
    let folder = folder();
    let data = open(folder.path());
    let settings = vec![("no_such_setting".to_owned(), "1".to_owned())];
    let options = PostgresOptions {
        settings,
        ..throwaway()
    };
    let error = EmbeddedPostgres::start(&data, &options)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn a_folder_that_the_account_cannot_reach_is_named() {
    if !is_root() {
        eprintln!("only root hands the server to another account; nothing to see as a user");
        return;
    }
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let data = open(&closed);
    let error = EmbeddedPostgres::start(&data, &throwaway())
        .await
        .unwrap_err();
    let text = error.to_string();
    let PostgresError::Unreachable { folder, .. } = error else {
        panic!("{text}")
    };
    assert_eq!(folder, closed.canonicalize().unwrap());
    assert!(text.contains("/var/lib/tierline"), "{text}");
}

#[test]
fn an_ordinary_user_runs_it_as_well() {
    if !is_root() {
        eprintln!("every other test of this file has just run as an ordinary user");
        return;
    }
    let folder = folder();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    // The build folder may lie in the home of root, where nobody gets to.
    let program = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args([
            "--exact",
            "child_lives_through_stop_and_start",
            "--nocapture",
        ])
        .env(CHILD_DATA, home.join("data"))
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(
        fs::metadata(home.join("data/postgres")).unwrap().uid(),
        NOBODY
    );
}

/// Runs one of the `child_` tests below in a process of its own.
fn child(test: &str, data: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_DATA, data);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn postmaster(data: &Path) -> i32 {
    let text = fs::read_to_string(data.join("postgres/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

/// The body of a child process: holds a server until it is killed. Without the variable, which
/// only the parent test sets, there is nothing to do.
#[tokio::test]
async fn child_holds_a_server() {
    let Ok(path) = std::env::var(CHILD_DATA) else {
        return;
    };
    let data = DataDir::open(Path::new(&path)).unwrap().lock().unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    execute(
        &server,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)",
    )
    .await;
    fs::create_dir(data.tokens()).unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
}

/// The body of a child process of an ordinary user.
#[tokio::test]
async fn child_lives_through_stop_and_start() {
    let Ok(path) = std::env::var(CHILD_DATA) else {
        return;
    };
    let data = DataDir::open(Path::new(&path)).unwrap().lock().unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    execute(
        &server,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)",
    )
    .await;
    server.stop(STOP).await.unwrap();
    let server = EmbeddedPostgres::start(&data, &throwaway()).await.unwrap();
    assert_eq!(count(&server).await, 1);
    assert_eq!(server.stop(STOP).await.unwrap(), Stopped::Clean);
}
