//! An application form: defined, published, filled in, decided about.

use crate::topology::Topology;
use crate::world::{each, found, text};

const FORMS: &str = "application.v1.FormService";
const SUBMISSIONS: &str = "application.v1.SubmissionService";
const LIST: &str = "query.v1.ApplicationQueryService/ListSubmissions";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    let root = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../forms/reseller-application.yaml"
    );
    topology
        .command(org, &["application", "define", root])
        .await;
    let early = format!("{SUBMISSIONS}/SubmitApplication");
    let early = client
        .refused(&early, "form_id: \"reseller-application\"")
        .await;
    assert_eq!(early.code, "FAILED_PRECONDITION", "{}", early.text);
    topology
        .command(org, &["application", "publish", "reseller-application"])
        .await;
    let get = "form_id: \"reseller-application\"";
    let form = client.ok(&format!("{FORMS}/GetForm"), get).await;
    assert_eq!(form["version"], 1, "{form}");

    let filled = "form: reseller-application\nanswers: {company: Nova, website: \
                  'https://nova.example', business: resale, name: Ada, email: ada@nova.example}\n\
                  accept: [terms]\n";
    let file = topology.folder().join(format!("{org}-nova.yaml"));
    std::fs::write(&file, filled).unwrap();
    let file = file.display().to_string();
    let submitted = topology.json(org, &["application", "submit", &file]).await;
    let first = text(&submitted["submission"]["submission_id"]);

    let answers = "form_id: \"reseller-application\" accepted_agreements: \"terms\" \
                   answers { key: \"company\" value { text: \"Orbit\" } } \
                   answers { key: \"website\" value { text: \"https://orbit.example\" } } \
                   answers { key: \"business\" value { text: \"services\" } } \
                   answers { key: \"name\" value { text: \"Bob\" } } \
                   answers { key: \"email\" value { text: \"bob@orbit.example\" } }";
    let name = format!("{SUBMISSIONS}/SubmitApplication");
    let without = answers.replace("accepted_agreements: \"terms\"", "");
    let refused = client.refused(&name, &without).await;
    assert_eq!(refused.code, "INVALID_ARGUMENT", "{}", refused.text);
    assert!(refused.text.contains("terms"), "{}", refused.text);
    let second = client.ok(&name, answers).await;
    let pending = client
        .read(LIST, "filter: \"state = pending\"", &second)
        .await;
    assert_eq!(pending["total_size"], 2, "{pending}");
    let second = text(&second["submission"]["submission_id"]);

    topology
        .command(
            org,
            &["application", "approve", &first, "--note", "welcome"],
        )
        .await;
    let reject = format!("submission_id: {second:?} note: \"too small\"");
    let name = format!("{SUBMISSIONS}/RejectSubmission");
    let rejected = client.ok(&name, &reject).await;
    assert_eq!(rejected["submission"]["state"], "SUBMISSION_STATE_REJECTED");
    let listed = client
        .read(LIST, "filter: \"state = rejected\"", &rejected)
        .await;
    assert_eq!(
        each(&listed["submissions"], "submission_id"),
        [second.as_str()]
    );
    assert!(
        !listed.to_string().contains("Orbit"),
        "no answers in lists: {listed}"
    );
    let approved = client.ok(LIST, "filter: \"state = approved\"").await;
    assert_eq!(
        each(&approved["submissions"], "submission_id"),
        [first.as_str()]
    );
    let twice = client
        .refused(&name, &format!("submission_id: {first:?} note: \"no\""))
        .await;
    assert_eq!(twice.code, "FAILED_PRECONDITION", "{}", twice.text);
    let get = format!("{SUBMISSIONS}/GetSubmission");
    let shown = format!("submission_id: {first:?}");
    let shown = client.ok(&get, &shown).await;
    assert_eq!(shown["answers"]["company"]["text"], "Nova", "{shown}");
    assert_eq!(shown["decision"]["note"], "welcome", "{shown}");
    let forms = topology.json(org, &["application", "forms"]).await;
    assert_eq!(forms["forms"][0]["newest_version"], 1, "{forms}");
}
