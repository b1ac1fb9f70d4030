//! Conclusions from a file of the last level: beside what the rules propose, dry and real, once and again.

use encoding_rs::GB18030;
use futures::stream;
use proto::applications::v1::bulk_client::BulkClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::import_conclusions_request::Part;
use proto::applications::v1::{self as wire};
use proto::types::v1::Conclusion;
use rpc::Refusal;
use rust_xlsxwriter::Workbook;
use service::testing::Channel;
use tonic::Status;
use uuid::Uuid;

use crate::facts_file::options;
use crate::stage::{CITY, COUNTY, POINT, PROVINCE, Stage, confirm, facts, record_facts, request_id};

async fn bring(
    client: &mut BulkClient<Channel>,
    options: wire::FileOptions,
    file: &[u8],
) -> Result<Vec<wire::ImportConclusionsResponse>, Status> {
    let chunks = file.chunks(60_000).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Options(options)).chain(chunks).collect();
    let parts = parts.into_iter().map(|part| wire::ImportConclusionsRequest { part: Some(part) });
    let (mut answers, mut report) = (client.import_conclusions(stream::iter(parts)).await?.into_inner(), Vec::new());
    while let Some(row) = answers.message().await? {
        report.push(row);
    }
    Ok(report)
}

/// Line, what the rules propose, and the conclusion or the reasons.
fn told(report: &[wire::ImportConclusionsResponse]) -> Vec<(i64, wire::Proposal, String)> {
    let of_row = |row: &wire::ImportConclusionsResponse| {
        let proposal = row.proposal.as_ref().map_or(wire::Proposal::Unspecified, wire::Assessment::proposal);
        let came = match &row.outcome {
            Some(outcome) => outcome.conclusion().as_str_name().trim_start_matches("CONCLUSION_").to_owned(),
            None => row.problems.iter().map(|problem| problem.reason.as_str()).collect::<Vec<_>>().join(" "),
        };
        (row.line, proposal, came)
    };
    report.iter().map(of_row).collect()
}

fn head(stage: &Stage) -> i64 {
    *stage.running.service.ground.log.head().borrow()
}

/// An application that waits for its conclusion, with these facts.
async fn waiting(stage: &Stage, facts: wire::Facts) -> String {
    let key = stage.filed(&stage.teacher().await).await;
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(&key, facts)).await.unwrap();
    confirmation.confirm_application(confirm(&key)).await.unwrap();
    for agency in [COUNTY, CITY] {
        let (request_id, key) = (request_id(), Some(key.clone()));
        let pass = wire::PassReviewRequest { request_id, key, opinion: String::new() };
        stage.review(agency).await.pass_review(pass).await.unwrap();
    }
    key.enrolment_number
}

#[tokio::test]
async fn rows_are_concluded_beside_what_the_rules_propose() {
    use wire::Proposal::{Failed, NeedsDecision, Qualified, Unspecified};
    let stage = Stage::start().await;
    let good = waiting(&stage, facts()).await;
    let failed = waiting(&stage, wire::Facts { ethics: wire::Finding::Failed.into(), ..facts() }).await;
    let ill = waiting(&stage, wire::Facts { health: wire::Finding::Failed.into(), ..facts() }).await;
    let early = stage.confirmed(&stage.teacher().await).await.enrolment_number;
    let file = format!(
        "报名号,姓名,注册结论,理由\n\
         {good},示例*,注册合格,\n\
         {failed},示例*,注册合格,\n\
         {ill},示例*,暂缓注册,\"病休中，\n待康复后再注册\"\n\
         {early},示例*,注册合格,\n\
         {good},示例*,注册不合格,重复\n\
         {failed},示例*,合格,\n"
    );
    let mut province = BulkClient::new(stage.reviewer(PROVINCE).await);
    let id = request_id();
    let before = head(&stage);
    let dry = bring(&mut province, options(&id, true), file.as_bytes()).await.unwrap();
    let row = |line, proposal, came: &str| (line, proposal, came.to_owned());
    let expected = [
        row(2, Qualified, "QUALIFIED"),
        row(3, Failed, "REASON_REQUIRED"),
        row(4, NeedsDecision, "DEFERRED"),
        row(6, Qualified, "NOT_YOUR_TURN"),
        row(7, Unspecified, "GIVEN_TWICE"),
        row(8, Unspecified, "UNKNOWN_VALUE"),
    ];
    assert_eq!(told(&dry), expected);
    assert_eq!(dry[1].proposal.as_ref().unwrap().articles, ["10.1"]);
    assert_eq!(head(&stage), before, "a dry run records nothing");

    let done = bring(&mut province, options(&id, false), file.as_bytes()).await.unwrap();
    assert_eq!(done, dry, "the dry run said what would come");
    assert_eq!(head(&stage), before + 2);
    assert_eq!(bring(&mut province, options(&id, false), file.as_bytes()).await.unwrap(), done);
    assert_eq!(head(&stage), before + 2, "what was done is not done twice");

    // The same in another encoding and as a workbook; with a reason what contradicts the rules is taken.
    let rest = format!("报名号,注册结论,理由\n{failed},注册合格,经复议\n");
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, ["报名号", "注册结论", "理由"]).unwrap();
    sheet.write_row(1, 0, [failed.as_str(), "注册合格", "经复议"]).unwrap();
    let xlsx = workbook.save_to_buffer().unwrap();
    let id = request_id();
    for file in [rest.as_bytes(), &GB18030.encode(&rest).0, &xlsx] {
        let report = bring(&mut province, options(&id, true), file).await.unwrap();
        assert_eq!(told(&report), [row(2, Failed, "QUALIFIED")]);
    }
    for file in [xlsx.as_slice(), rest.as_bytes()] {
        let report = bring(&mut province, options(&id, false), file).await.unwrap();
        assert_eq!(told(&report), [row(2, Failed, "QUALIFIED")]);
    }
    assert_eq!(head(&stage), before + 3);
}

#[tokio::test]
async fn lower_levels_do_not_conclude_and_strangers_find_nothing() {
    use wire::Proposal::{Qualified, Unspecified};
    let stage = Stage::start().await;
    let number = waiting(&stage, facts()).await;
    let file = format!("报名号,注册结论\n{number},注册合格\n");
    let before = head(&stage);
    for (agency, proposal, came) in
        [(COUNTY, Qualified, "NOT_YOUR_TURN"), (Uuid::from_u128(404), Unspecified, "NOT_FOUND")]
    {
        let mut reviewer = BulkClient::new(stage.reviewer(agency).await);
        let report = bring(&mut reviewer, options(&request_id(), false), file.as_bytes()).await.unwrap();
        assert_eq!(told(&report), [(2, proposal, came.to_owned())]);
    }
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let refused = bring(&mut clerk, options(&request_id(), false), file.as_bytes()).await.unwrap_err();
    assert_eq!(Refusal::from_status(&refused).reason, "ROLE_REQUIRED");
    let mut province = BulkClient::new(stage.reviewer(PROVINCE).await);
    for (file, reason) in [
        (format!("报名号\n{number}\n"), "COLUMN_MISSING"),
        (format!("报名号,注册结论\n{}", format!("{number},注册合格\n").repeat(1_001)), "TOO_MANY_ROWS"),
    ] {
        let refused = bring(&mut province, options(&request_id(), false), file.as_bytes()).await.unwrap_err();
        assert_eq!(Refusal::from_status(&refused).reason, reason);
    }
    assert!(head(&stage) > 0 && head(&stage) == before, "nothing was recorded");
    let report = bring(&mut province, options(&request_id(), false), file.as_bytes()).await.unwrap();
    let outcome = report[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.conclusion(), Conclusion::Qualified);
}
