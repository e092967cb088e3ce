use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use tierline_importer::{CheckedPlan, ImportPlan, Item, Mapping, Options};
use tierline_proto::common::v1::{RowError, RowOutcome, RowResult};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::batches;
use super::super::clock::ClockSteps;
use super::super::ledger::Places;
use super::*;

/// What happened, in its order.
type Story = Rc<RefCell<Vec<String>>>;

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Act {
    Take,
    /// Answers the first row and ends the stream.
    Break,
    /// Could not take the rows at that moment.
    Busy,
    Refuse,
}

/// A server that acts as told, request by request, and takes everything afterwards.
struct Scripted {
    acts: Vec<Act>,
    story: Story,
}

struct Noted(Story);

impl Clock for Noted {
    async fn advance_to(&mut self, day: Date) -> anyhow::Result<()> {
        self.0.borrow_mut().push(format!("clock {day}"));
        Ok(())
    }
}

fn result(row: u64, error: Option<RowError>) -> RowResult {
    let outcome = match error {
        None => RowOutcome::Created,
        Some(_) => RowOutcome::Rejected,
    };
    RowResult {
        row,
        id: row.to_string(),
        outcome: outcome.into(),
        error,
    }
}

fn busy() -> RowError {
    RowError {
        reason: tierline_rpc::status::UNAVAILABLE.to_owned(),
        message: "the store is not available".to_owned(),
        violations: Vec::new(),
        retryable: true,
    }
}

impl Wire for Scripted {
    type Row = u64;
    const IN_FLIGHT: usize = 2;
    const FULL: usize = 2;

    fn row(item: &Item) -> Option<u64> {
        Some(item.ordinal)
    }

    fn size(_: &u64) -> usize {
        1
    }

    async fn open(&mut self) -> Result<Link<u64>, Status> {
        self.story.borrow_mut().push("open".to_owned());
        let (requests, mut sent) = mpsc::channel::<Request<u64>>(8);
        let (answers, taken) = mpsc::channel(8);
        let mut acts = std::mem::take(&mut self.acts).into_iter();
        // What is left of the script is for the next stream.
        let rest: Vec<Act> = match acts
            .as_slice()
            .iter()
            .position(|act| matches!(act, Act::Break | Act::Refuse))
        {
            Some(end) => acts.as_slice()[end + 1..].to_vec(),
            None => Vec::new(),
        };
        self.acts = rest;
        tokio::spawn(async move {
            while let Some(request) = sent.recv().await {
                let act = acts.next().unwrap_or(Act::Take);
                let rows = request.rows.iter();
                let results = match act {
                    Act::Take => rows.map(|row| result(*row, None)).collect(),
                    Act::Busy => rows.map(|row| result(*row, Some(busy()))).collect(),
                    Act::Break => rows.take(1).map(|row| result(*row, None)).collect(),
                    Act::Refuse => {
                        answers
                            .send(Err(Status::permission_denied("no")))
                            .await
                            .ok();
                        return;
                    }
                };
                let answer = RowResults {
                    results,
                    consistency_token: String::new(),
                };
                if answers.send(Ok(answer)).await.is_err() || matches!(act, Act::Break) {
                    return;
                }
            }
        });
        let answers = ReceiverStream::new(taken).boxed();
        Ok(Link { requests, answers })
    }
}

/// A folder of a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tierline-import-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const MAPPING: &str = "kind: deals
max_rejected_percent: 100
fields:
  external_id: {column: id}
  partner_id: {column: p}
  state: {constant: lost}
  closed_date: {column: d}
";

/// Seven good rows in three months, and two bad ones: in the middle and at the end.
const FILE: &str = "id,p,d
1,a,2026-01-02
2,a,2026-01-03
3,a,2026-01-04
,a,2026-01-05
4,a,2026-02-01
5,a,2026-02-02
6,a,2026-02-03
7,a,2026-03-31
8,a,soon
";

fn plan(folder: &Folder) -> (CheckedPlan, Places) {
    let file = folder.0.join("deals.csv");
    std::fs::write(&file, FILE).unwrap();
    let mapping = Mapping::parse("m.yaml", MAPPING).unwrap();
    let plan = ImportPlan::open(mapping, &file, Options::default()).unwrap();
    let results = Some(folder.0.join("results.csv"));
    (plan.check(&mut ()).unwrap(), Places::new(results, &file))
}

struct Run {
    ended: anyhow::Result<Ended>,
    story: Vec<String>,
}

async fn send(
    plan: &CheckedPlan,
    ledger: &mut Ledger,
    acts: &[Act],
    today: Option<&str>,
    stop: &CancellationToken,
) -> Run {
    let story = Story::default();
    let clock = today.map(|today| ClockSteps::new(today.parse().unwrap()));
    let items = plan.items(ledger.resumed_after()).unwrap();
    let (batches, _) = batches::read::<Scripted>(items, clock).unwrap();
    let sender = Sender {
        wire: Scripted {
            acts: acts.to_vec(),
            story: Rc::clone(&story),
        },
        kind: Kind::Deals,
        first_wait: Duration::from_millis(1),
        clock: Noted(Rc::clone(&story)),
        progress: Progress::begin("sent", "deals", plan.summary().records),
        total: plan.summary().records,
        ledger,
        stop,
    };
    let ended = sender.run(batches).await;
    let story = story.borrow().clone();
    Run { ended, story }
}

/// Rows of the results and what became of them.
fn results(places: &Places) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(&places.results).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        let row = cells.next().unwrap().parse().unwrap();
        (row, cells.nth(2).unwrap().to_owned())
    });
    lines.collect()
}

fn everything() -> Vec<(u64, String)> {
    let outcome = |row| {
        if matches!(row, 4 | 9) {
            "rejected"
        } else {
            "created"
        }
    };
    (1..=9).map(|row| (row, outcome(row).to_owned())).collect()
}

#[tokio::test]
async fn a_stream_that_breaks_is_opened_again_and_every_row_has_one_result() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let acts = [Act::Take, Act::Break, Act::Busy, Act::Break];
    let run = send(&plan, &mut ledger, &acts, None, &CancellationToken::new()).await;
    assert_eq!(run.ended.unwrap(), Ended::Complete);
    assert_eq!(run.story, ["open", "open", "open"]);
    let tally = ledger.complete().unwrap();
    assert_eq!((tally.created.records, tally.rejected.rows), (7, 2));
    assert_eq!(results(&places), everything());
    assert!(!places.journal.exists());
}

#[tokio::test]
async fn a_call_that_is_refused_ends_the_import_and_the_next_run_goes_on_there() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let acts = [Act::Take, Act::Refuse];
    let run = send(&plan, &mut ledger, &acts, None, &CancellationToken::new()).await;
    assert!(run.ended.unwrap_err().to_string().starts_with("no"));
    assert_eq!(ledger.done(), 2);
    drop(ledger);
    // A run that was killed leaves lines behind the last mark.
    let mut torn = std::fs::read_to_string(&places.results).unwrap();
    torn.push_str("3,4,3,created,,,\n5,");
    std::fs::write(&places.results, torn).unwrap();

    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    assert_eq!(ledger.resumed_after(), 2);
    let run = send(&plan, &mut ledger, &[], None, &CancellationToken::new()).await;
    assert_eq!(run.ended.unwrap(), Ended::Complete);
    let tally = ledger.complete().unwrap();
    assert_eq!((tally.created.records, tally.rejected.rows), (7, 2));
    assert_eq!(results(&places), everything());
}

#[tokio::test]
async fn without_its_results_an_interrupted_import_begins_at_the_start() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let acts = [Act::Take, Act::Refuse];
    send(&plan, &mut ledger, &acts, None, &CancellationToken::new()).await;
    drop(ledger);
    let refused = Ledger::open(&places, &plan, "there").err().unwrap();
    assert!(refused.to_string().contains("the target was another one"));
    std::fs::remove_file(&places.results).unwrap();
    let ledger = Ledger::open(&places, &plan, "here").unwrap();
    assert_eq!((ledger.resumed_after(), ledger.tally().rows()), (0, 0));
    drop(ledger);
    // A journal without any answered record does not stand in the way.
    Ledger::open(&places, &plan, "there").unwrap();
}

#[tokio::test]
async fn a_server_that_stays_away_ends_the_import_after_a_bounded_time() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let acts = [Act::Busy; 40];
    let run = send(&plan, &mut ledger, &acts, None, &CancellationToken::new()).await;
    let text = run.ended.unwrap_err().to_string();
    assert!(text.contains("could not take rows in 6 attempts"), "{text}");
    assert_eq!(ledger.done(), 0);
}

#[tokio::test]
async fn what_is_in_flight_is_settled_before_the_clock_moves() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let run = send(
        &plan,
        &mut ledger,
        &[],
        Some("2026-01-15"),
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(run.ended.unwrap(), Ended::Complete);
    assert_eq!(run.story, ["open", "clock 2026-02-01", "clock 2026-03-01"]);
    assert_eq!(
        results(&places).len(),
        8,
        "the last row is still in the buffer"
    );
    ledger.complete().unwrap();
    assert_eq!(results(&places), everything());
}

#[tokio::test]
async fn nothing_more_is_sent_after_a_wish_to_stop() {
    let folder = Folder::new();
    let (plan, places) = plan(&folder);
    let mut ledger = Ledger::open(&places, &plan, "here").unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let run = send(&plan, &mut ledger, &[], None, &stop).await;
    assert_eq!(run.ended.unwrap(), Ended::Interrupted);
    drop(ledger);
    assert!(!places.journal.exists(), "it remembers nothing");
}

#[test]
fn waits_double_and_stay_bounded() {
    let waits: Vec<f32> = (1..=8)
        .map(|n| wait_after(FIRST_WAIT, n).as_secs_f32())
        .collect();
    assert_eq!(waits, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
    assert_eq!(wait_after(FIRST_WAIT, u32::MAX), LONGEST_WAIT);
}
