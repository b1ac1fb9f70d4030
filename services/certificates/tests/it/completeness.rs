//! All of a register was brought only if no row of it was rejected: whoever misses a certificate may have been in such a row.

use certificates::import::stream;
use prost::Message as _;
use proto::certificates::v1 as wire;
use service::testing::Running;

use crate::explain::{NOT_ALL, STRANGER, explained, explained_as, missed};
use crate::source::{Told, asked, certificate, counts, sync, sync_with, with_rows};
use crate::sync::{HEADER, eventually, import_with, options, row};

const HELD: &str = "20103203221000011";
const MISSED: &str = "20103203221999999";

#[tokio::test]
async fn a_file_of_which_a_row_was_rejected_is_not_all_of_it() {
    let running = crate::explain::running().await;
    let whole = || wire::ImportOptions { complete: true, ..options() };
    let good = row(&STRANGER, HELD, "语文");
    let file = format!("{HEADER}{good}{}", row(&STRANGER, MISSED, ""));
    let reports = import_with(&running, whole(), &file).await;
    assert_eq!(reports.last().map(|report| (report.added, report.rejected)), Some((1, 1)));
    let answer = eventually("the view", async || {
        let answer = explained(&running, missed(MISSED, "2010-06-15")).await;
        answer.message.starts_with(NOT_ALL).then_some(answer)
    })
    .await;
    assert_eq!(answer.reason, "NOT_SYNCED_YET");
    import_with(&running, whole(), &format!("{HEADER}{good}")).await;
    explained_as(&running, missed(MISSED, "2010-06-15"), "NOT_IN_REGISTER").await;
}

#[tokio::test]
async fn a_source_of_which_a_row_was_rejected_is_not_all_there_until_it_is_read_from_the_beginning() {
    let server = with_rows().await;
    let running = crate::source::running(&server).await;
    server.put("certificates", 7, 7, &[("姓名", "示例一")]);
    let told = sync(&running).await;
    assert_eq!((counts(&told), is_complete(&running, &told).await), ((true, 6, 5, 0, 0, 1), false));
    // That row does not come again.
    certificate(&server, 8, 8, "语文");
    let told = sync(&running).await;
    assert_eq!((counts(&told), is_complete(&running, &told).await), ((true, 1, 1, 0, 0, 0), false));
    certificate(&server, 9, 7, "语文");
    let again = wire::SyncFromSourceRequest { from_the_beginning: true, ..asked(lifecycle::ids::random()) };
    let told = sync_with(&running, "32", again).await.unwrap();
    assert_eq!((counts(&told), is_complete(&running, &told).await), ((true, 7, 1, 0, 6, 0), true));
}

/// What a run that has ended says of itself.
async fn is_complete(running: &Running<certificates::Certificates>, told: &Told) -> bool {
    let run = stream(told.report.sync_id.parse().unwrap());
    let recorded = running.service.ground.log.load(run).await.unwrap();
    wire::SyncFinished::decode(recorded.last().unwrap().payload.as_slice()).unwrap().complete
}
